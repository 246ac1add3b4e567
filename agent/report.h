/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - what the launcher (scripts/spanprof record) waits for: SPANPROF_REPORT names a file that
 * gets one line when all there was is delivered, and PATH.agent our pid from the start. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_REPORT_H
#define SPANPROF_AGENT_REPORT_H

#include "agent/collect.h"
#include "agent/deliver.h"

/* path: NULL or empty does nothing, in both. */
void report_start(const char *path);
void report_done(const char *path, const struct collect_totals *totals,
		 const struct deliver_totals *delivered);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordinary.h - what an agent must shed of the process it was cloned from. Context: AGENT, at start.
 */
#ifndef SPANPROF_AGENT_ORDINARY_H
#define SPANPROF_AGENT_ORDINARY_H

/* A signalfd for SIGTERM and SIGINT, which are blocked from then on, or -1. */
int ordinary_become(void);

#endif

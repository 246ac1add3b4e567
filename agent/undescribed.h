/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows for code that no .eh_frame describes although everybody knows its frames: on aarch64 the stubs
 * of a PLT, and what signal handlers return to.
 *
 * AGENT.
 */
#ifndef SPANPROF_AGENT_UNDESCRIBED_H
#define SPANPROF_AGENT_UNDESCRIBED_H

#include "agent/ehframe.h"

/* As far as there are bounds and memory for them; on x86-64, where linkers describe both, nothing. */
void undescribed_add(const struct module *module, struct ehframe_table *table);

#endif

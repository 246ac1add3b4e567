/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row as people write it. Context: AGENT, for the log.
 */
#ifndef SPANPROF_AGENT_EHFRAME_TEXT_H
#define SPANPROF_AGENT_EHFRAME_TEXT_H

#include <stddef.h>

#include "shim/feed.h"

/* "cfa=rsp+16 rbp=*(cfa-16)". */
void ehframe_text(const struct feed_row *row, char *to, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ehframe_text.c - a row in words. AGENT.
 */
#include <stdio.h>

#include "agent/ehframe_text.h"

#define WORD 8

static int cfa_text(const struct feed_row *row, char *to, size_t size)
{
	switch (row->cfa) {
	case FEED_CFA_NONE:
		return snprintf(to, size, "by frame pointer: undescribed");
	case FEED_CFA_ROOT:
		return snprintf(to, size, "root");
	case FEED_CFA_SP:
		return snprintf(to, size, "cfa=rsp%+d", row->cfa_offset);
	case FEED_CFA_FP:
		return snprintf(to, size, "cfa=rbp%+d", row->cfa_offset);
	case FEED_CFA_FP_DEREF:
		return snprintf(to, size, "cfa=*(rbp%+d)", row->cfa_offset);
	case FEED_CFA_SP_DEREF:
		return snprintf(to, size, "cfa=*(rsp%+d)+8", row->cfa_offset);
	case FEED_CFA_PLT:
		return snprintf(to, size, "cfa=rsp%+d, plt", row->cfa_offset);
	case FEED_CFA_SIGNAL:
		return snprintf(to, size, "signal frame at rsp%+d", row->cfa_offset);
	}
	return snprintf(to, size, "more than a row");
}

void ehframe_text(const struct feed_row *row, char *to, size_t size)
{
	int n = cfa_text(row, to, size);

	if (n < 0 || (size_t)n >= size)
		return;
	if (row->fp == FEED_FP_SAVED)
		snprintf(to + n, size - (size_t)n, " rbp=*(cfa%+d)", row->fp_offset * WORD);
	else if (row->fp == FEED_FP_AT_FP)
		snprintf(to + n, size - (size_t)n, " rbp=*(rbp%+d)", row->fp_offset * WORD);
}

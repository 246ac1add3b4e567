/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings of an answer, one behind the other in its own room.
 *
 * AGENT: called by symbol_dwarf.c.
 */
#include "agent/symbol_answer.h"

#include <string.h>

void symbol_answer_reset(struct symbol_answer *a)
{
	memset(a->frames, 0, sizeof(a->frames));
	a->count = a->text_len = 0;
	a->ada = a->hurried = false;
}

/* Appends without an end; false when the string is over-long or does not fit. */
static bool append(struct symbol_answer *a, const char *string)
{
	size_t n = strnlen(string, SYMBOL_ANSWER_STRING_MAX);

	if (n == SYMBOL_ANSWER_STRING_MAX || n >= sizeof(a->text) - a->text_len)
		return false;
	memcpy(a->text + a->text_len, string, n);
	a->text_len += n;
	return true;
}

const char *symbol_answer_keep(struct symbol_answer *a, const char *directory, const char *string)
{
	size_t start = a->text_len;
	bool below = directory && *directory && string && *string != '/';

	if (!string || !*string || (below && (!append(a, directory) || !append(a, "/"))) ||
	    !append(a, string)) {
		a->text_len = start;
		return NULL;
	}
	a->text[a->text_len++] = '\0'; /* append leaves room for it */
	return a->text + start;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What debug information says about one address: frames, and copies of the strings they name.
 *
 * AGENT. Strings in a file are copied at once, because the file may be cut short or unmapped, and
 * measured, because no string of a file is believed to end.
 */
#ifndef SPANPROF_AGENT_SYMBOL_ANSWER_H
#define SPANPROF_AGENT_SYMBOL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOL_ANSWER_FRAMES_MAX 64
#define SYMBOL_ANSWER_TEXT_MAX (256u << 10) /* bytes of all strings */
#define SYMBOL_ANSWER_STRING_MAX 32768	    /* bytes of one; a longer one is left out */

struct symbol_answer_frame {
	const char *linkage; /* NULL: the same as name, or unknown */
	const char *name;    /* NULL: only file and line are known */
	const char *file;    /* NULL when unknown */
	int64_t line, start_line;
};

/* Frames are innermost first, and those from count on all zero. Strings point into text. */
struct symbol_answer {
	struct symbol_answer_frame frames[SYMBOL_ANSWER_FRAMES_MAX];
	size_t count, text_len;
	bool ada;     /* the language of the unit */
	bool hurried; /* more would be known, had there been time: not to be remembered */
	char text[SYMBOL_ANSWER_TEXT_MAX];
};

void symbol_answer_reset(struct symbol_answer *a);

/*
 * A copy of string, below directory if it is a relative path and there is one; NULL when there is
 * none, or no room.
 */
const char *symbol_answer_keep(struct symbol_answer *a, const char *directory, const char *string);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbol_perfmap.c - lines of a perf map to ranges of code. AGENT: called by jit_file.c with what
 * the file has grown by. Opens nothing, copies no name: an entry keeps where its name stands.
 */
#include <string.h>

#include "agent/symbol_perfmap.h"

struct cursor {
	const char *at, *end;
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* A number and the blank after it. perf knows no "0x", but some writers do. */
static bool number(struct cursor *c, uint64_t *out)
{
	const char *first;
	uint64_t v = 0;

	if (c->end - c->at > 2 && c->at[0] == '0' && (c->at[1] | 0x20) == 'x')
		c->at += 2;
	for (first = c->at; c->at < c->end && digit(*c->at) >= 0; c->at++) {
		if (v >> 60)
			return false;
		v = v << 4 | (uint64_t)digit(*c->at);
	}
	*out = v;
	if (c->at == first || c->at == c->end || *c->at != ' ')
		return false;
	while (c->at < c->end && *c->at == ' ')
		c->at++;
	return true;
}

static bool parse_line(const char *line, const char *end, struct jit_entry *e)
{
	struct cursor c = {line, end};
	uint64_t size;

	if (!number(&c, &e->start) || !number(&c, &size) || c.at == c.end)
		return false;
	if (!size || size > UINT64_MAX - e->start)
		return false;
	e->end = e->start + size;
	e->text = (uint64_t)(c.at - line);
	e->length = (uint32_t)(c.end - c.at < JIT_TEXT_MAX ? c.end - c.at : JIT_TEXT_MAX);
	return true;
}

size_t perfmap_feed(struct perfmap *map, const char *text, size_t n, uint64_t offset,
		    struct jit_code *code, uint32_t source)
{
	const char *at = text, *end = text + n, *newline;

	while (at < end && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		struct jit_entry entry = {.source = source};

		if (!map->skipping && parse_line(at, newline, &entry)) {
			entry.text += offset + (uint64_t)(at - text);
			jit_code_add(code, &entry);
		} else if (!map->skipping) {
			map->malformed++;
		}
		map->skipping = false;
		at = newline + 1;
	}
	if (map->skipping || end - at > PERFMAP_LINE_MAX) {
		map->malformed += !map->skipping;
		map->skipping = true;
		at = end;
	}
	return (size_t)(at - text);
}

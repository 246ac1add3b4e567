/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of /proc/PID/maps to a sorted array, and back from a pc to its entry.
 *
 * AGENT: called by whoever follows a client process. Parses untrusted bytes; opens nothing.
 */
#include "agent/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAPS_READ_FIRST (64u << 10) /* first buffer; doubled up to MAPS_TEXT_MAX */

static const char deleted_suffix[] = " (deleted)";

struct cursor {
	const char *at, *end;
};

void maps_init(struct maps *maps)
{
	memset(maps, 0, sizeof(*maps));
}

void maps_release(struct maps *maps)
{
	free(maps->entries);
	free(maps->paths);
	maps_init(maps);
}

static int digit(char c, int base)
{
	int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;

	return v < base ? v : -1;
}

static bool number(struct cursor *c, int base, uint64_t *out)
{
	const char *first = c->at;
	uint64_t v = 0;
	int d;

	while (c->at < c->end && (d = digit(*c->at, base)) >= 0) {
		if (v > (UINT64_MAX - (uint64_t)d) / (uint64_t)base)
			return false;
		v = v * (uint64_t)base + (uint64_t)d;
		c->at++;
	}
	*out = v;
	return c->at > first;
}

static bool literal(struct cursor *c, char want)
{
	if (c->at >= c->end || *c->at != want)
		return false;
	c->at++;
	return true;
}

static bool permissions(struct cursor *c, struct maps_entry *e)
{
	if (c->end - c->at < 4)
		return false;
	e->readable = c->at[0] == 'r';
	e->writable = c->at[1] == 'w';
	e->exec = c->at[2] == 'x';
	c->at += 4;
	return true;
}

/*
 * Copies the path to *arena. The kernel escapes newline alone (and not the backslash), so nothing
 * but \012 is decoded: any other escape is part of a file's real name.
 */
static bool path(struct cursor *c, struct maps_entry *e, char **arena)
{
	size_t suffix = sizeof(deleted_suffix) - 1;
	char *out = *arena;
	size_t n;

	while (c->at < c->end && *c->at == ' ')
		c->at++;
	n = (size_t)(c->end - c->at);
	if (memchr(c->at, '\0', n))
		return false;
	e->deleted = n > suffix && !memcmp(c->end - suffix, deleted_suffix, suffix);
	if (e->deleted)
		n -= suffix;
	e->path = out;
	for (size_t i = 0; i < n; i++) {
		if (n - i >= 4 && !memcmp(c->at + i, "\\012", 4)) {
			*out++ = '\n';
			i += 3;
		} else {
			*out++ = c->at[i];
		}
	}
	*out++ = '\0';
	*arena = out;
	return true;
}

static bool parse_line(struct cursor *c, struct maps_entry *e, char **arena)
{
	uint64_t major, minor;

	memset(e, 0, sizeof(*e));
	if (!number(c, 16, &e->start) || !literal(c, '-') || !number(c, 16, &e->end) ||
	    !literal(c, ' ') || !permissions(c, e) || !literal(c, ' ') ||
	    !number(c, 16, &e->offset) || !literal(c, ' ') || !number(c, 16, &major) ||
	    !literal(c, ':') || !number(c, 16, &minor) || !literal(c, ' ') ||
	    !number(c, 10, &e->inode))
		return false;
	if (e->start >= e->end || e->offset > UINT64_MAX - (e->end - e->start) ||
	    major > UINT32_MAX || minor > UINT32_MAX || (c->at < c->end && *c->at != ' '))
		return false;
	e->dev = makedev((unsigned int)major, (unsigned int)minor);
	return path(c, e, arena);
}

static int by_start(const void *a, const void *b)
{
	const struct maps_entry *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* The kernel writes them in order and disjoint; a host that writes the region need not. */
static void sort_disjoint(struct maps *maps)
{
	bool sorted = true;
	size_t kept = 0;

	for (size_t i = 1; i < maps->count && sorted; i++)
		sorted = maps->entries[i - 1].start <= maps->entries[i].start;
	if (!sorted)
		qsort(maps->entries, maps->count, sizeof(*maps->entries), by_start);
	for (size_t i = 0; i < maps->count; i++) {
		if (kept && maps->entries[kept - 1].end > maps->entries[i].start)
			maps->malformed++;
		else
			maps->entries[kept++] = maps->entries[i];
	}
	maps->count = kept;
}

static size_t count_lines(const char *text, size_t n)
{
	size_t lines = 0;

	for (const char *at = text, *end = text + n; at < end && lines < MAPS_MAX; lines++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		at = newline ? newline + 1 : end;
	}
	return lines;
}

static void parse_all(struct maps *maps, const char *text, size_t n, size_t limit)
{
	const char *end = text + n;
	char *arena = maps->paths;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct cursor c = {text, newline ? newline : end};

		if (maps->count < limit && parse_line(&c, &maps->entries[maps->count], &arena))
			maps->count++;
		else
			maps->malformed++;
		text = newline ? newline + 1 : end;
	}
}

uint64_t maps_new_generation(void)
{
	static uint64_t last;

	return ++last;
}

int maps_parse(struct maps *maps, const char *text, size_t n)
{
	size_t lines = count_lines(text, n);
	struct maps fresh = {.malformed = maps->malformed};

	/* A decoded path and its NUL are never longer than the line it came from. */
	fresh.entries = calloc(lines ? lines : 1, sizeof(*fresh.entries));
	fresh.paths = malloc(n + 1);
	if (!fresh.entries || !fresh.paths) {
		maps_release(&fresh);
		return -ENOMEM;
	}
	parse_all(&fresh, text, n, lines);
	sort_disjoint(&fresh);
	fresh.generation = maps_new_generation();
	maps_release(maps);
	*maps = fresh;
	return 0;
}

/* Reads to the end or to MAPS_TEXT_MAX. The length, or -errno. */
static ssize_t read_whole(int fd, char **buf)
{
	size_t size = MAPS_READ_FIRST, used = 0;
	ssize_t n;

	*buf = malloc(size);
	for (;;) {
		if (!*buf)
			return -ENOMEM;
		n = read(fd, *buf + used, size - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		used += (size_t)n;
		if (!n || used == MAPS_TEXT_MAX)
			return (ssize_t)used;
		if (used == size) {
			char *bigger = realloc(*buf, size *= 2);

			if (!bigger)
				return -ENOMEM;
			*buf = bigger;
		}
	}
}

int maps_read_fd(struct maps *maps, int fd)
{
	char *text = NULL;
	ssize_t n;
	int err;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	n = read_whole(fd, &text);
	/* A line cut by the bound would pass for one with a shorter path. */
	while (n == MAPS_TEXT_MAX && n > 0 && text[n - 1] != '\n')
		n--;
	err = n < 0 ? (int)n : n == 0 ? -ESRCH : maps_parse(maps, text, (size_t)n);
	free(text);
	return err;
}

const struct maps_entry *maps_find(const struct maps *maps, uint64_t pc)
{
	size_t lo = 0, hi = maps->count;
	const struct maps_entry *past;

	if (maps->past && maps->past->find(maps->past, pc, &past))
		return past;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (maps->entries[mid].end <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < maps->count && maps->entries[lo].start <= pc ? &maps->entries[lo] : NULL;
}

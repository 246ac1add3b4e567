/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/ehframe.c against binutils: every line of readelf's interpretation of every function, for
 * the objects of this machine that there are.
 */
#include "agent/ehframe.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#define CIES_MAX 256
#define COLUMNS_MAX 40
#define CELL_MAX 24
#define LINE 1024

/* A line of readelf's: as it prints them, "" for a column that it does not. */
struct line {
	uint64_t start;
	char cfa[CELL_MAX], fp[CELL_MAX], pc[CELL_MAX];
};

struct reader {
	struct ehframe_table table;
	FILE *from;
	int fp_column, pc_column; /* of the present table; 0: none */
	bool is_cie, pending;
	uint64_t end; /* of the present function */
	struct line line, cie_lines[CIES_MAX];
	unsigned long cie_at[CIES_MAX], cies;
	unsigned long compared;
};

static void assert_line(const struct line *l, bool right)
{
	if (!right)
		fail_msg("%lx: readelf says cfa %s, rbp %s, ra %s", (unsigned long)l->start, l->cfa,
			 l->fp, l->pc);
}

static bool fp_agrees(const struct feed_row *row, const char *cell)
{
	if (!*cell || !strcmp(cell, "u") || !strcmp(cell, "s"))
		return row->fp == FEED_FP_SAME;
	if (!strncmp(cell, "c", 1))
		return row->fp == FEED_FP_SAVED && row->fp_offset * 8 == atol(cell + 1);
	return false;
}

/* What an expression says is not in readelf's table; the other tests say how it is read. */
static bool row_agrees(const struct feed_row *row, const struct line *l)
{
	if (!strcmp(l->pc, "u"))
		return row->cfa == FEED_CFA_ROOT;
	if (strcmp(l->pc, "c-8"))
		return row->cfa == FEED_CFA_OTHER ||
		       (row->cfa == FEED_CFA_SIGNAL && !strcmp(l->cfa, "exp"));
	if (!strcmp(l->cfa, "exp"))
		return row->cfa == FEED_CFA_PLT || row->cfa == FEED_CFA_FP_DEREF ||
		       row->cfa == FEED_CFA_SP_DEREF || row->cfa == FEED_CFA_OTHER;
	if (strncmp(l->cfa, "rsp", 3) && strncmp(l->cfa, "rbp", 3))
		return row->cfa == FEED_CFA_OTHER;
	if (!strcmp(l->fp, "exp")) /* of a realigned frame, at its end */
		return row->cfa == FEED_CFA_OTHER || row->fp != FEED_FP_SAVED;
	return row->cfa == (l->cfa[1] == 's' ? FEED_CFA_SP : FEED_CFA_FP) &&
	       row->cfa_offset == atol(l->cfa + 3) && fp_agrees(row, l->fp);
}

static void compare(struct reader *r, const struct line *l, uint64_t end)
{
	const uint64_t at[] = {l->start, l->start + (end - l->start) / 2, end - 1};

	if (end <= l->start)
		return;
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++) {
		const struct feed_row *row = ehframe_lookup(&r->table, at[i]);

		assert_line(l, row && row_agrees(row, l));
	}
	r->compared++;
}

static void finish_line(struct reader *r, uint64_t end)
{
	if (r->pending && !r->is_cie)
		compare(r, &r->line, end);
	if (r->pending && r->is_cie)
		r->cie_lines[r->cies - 1] = r->line;
	r->pending = false;
}

/* "   LOC           CFA      rbx   rbp   ra" */
static void read_columns(struct reader *r, char *text)
{
	int column = 0;

	r->fp_column = r->pc_column = 0;
	for (char *cell = strtok(text, " \n"); cell; cell = strtok(NULL, " \n"), column++) {
		if (!strcmp(cell, "rbp"))
			r->fp_column = column;
		if (!strcmp(cell, "ra"))
			r->pc_column = column;
	}
}

static void read_cells(struct reader *r, char *text)
{
	char *cells[COLUMNS_MAX] = {NULL};
	int n = 0;

	for (char *cell = strtok(text, " \n"); cell && n < COLUMNS_MAX; cell = strtok(NULL, " \n"))
		if (*cell != '(') /* the second half of "r10 (r10)" */
			cells[n++] = cell;
	assert_true(n > 1 && r->pc_column < n && r->fp_column < n);
	finish_line(r, strtoull(cells[0], NULL, 16));
	r->line.start = strtoull(cells[0], NULL, 16);
	snprintf(r->line.cfa, CELL_MAX, "%s", cells[1]);
	snprintf(r->line.fp, CELL_MAX, "%s", r->fp_column ? cells[r->fp_column] : "");
	snprintf(r->line.pc, CELL_MAX, "%s", r->pc_column ? cells[r->pc_column] : "");
	r->pending = true;
}

/* A function without instructions has no lines: it is as its CIE says. */
static void begin_function(struct reader *r, const char *head)
{
	unsigned long cie, at;
	const char *field = strstr(head, "cie=");

	assert_int_equal(sscanf(field, "cie=%lx pc=%lx..%lx", &cie, &at, &r->end), 3);
	r->is_cie = false;
	for (unsigned long i = 0; i < r->cies; i++) {
		if (r->cie_at[i] != cie)
			continue;
		r->line = r->cie_lines[i];
		r->line.start = at;
		r->pending = true;
	}
}

static void read_line(struct reader *r, char *text)
{
	unsigned long at;

	if (strstr(text, " FDE cie=")) {
		finish_line(r, r->end);
		begin_function(r, text);
	} else if (strstr(text, " CIE \"")) {
		finish_line(r, r->end);
		assert_int_equal(sscanf(text, "%lx", &at), 1);
		assert_true(r->cies < CIES_MAX);
		r->cie_at[r->cies++] = at;
		r->is_cie = true;
	} else if (strstr(text, " LOC ")) {
		read_columns(r, text);
		/* A new table replaces what the CIE said. */
		r->pending = false;
	} else if (strspn(text, "0123456789abcdef") == 16) {
		read_cells(r, text);
	}
}

static struct module *module_of(struct modules *modules, const char *path)
{
	struct maps maps;
	struct module *m;
	struct stat st;
	char real[PATH_MAX], text[PATH_MAX + 100];
	int n;

	if (!realpath(path, real) || stat(real, &st))
		return NULL;
	n = snprintf(text, sizeof(text), "10000-20000 r-xp 0 %x:%x %lu %s\n", major(st.st_dev),
		     minor(st.st_dev), (unsigned long)st.st_ino, real);
	maps_init(&maps);
	assert_int_equal(maps_parse(&maps, text, (size_t)n), 0);
	m = module_get(modules, &maps.entries[0], getpid());
	maps_release(&maps);
	return m;
}

static void agrees_with_readelf(void **state)
{
	const char *path = *state;
	struct modules *modules = modules_new();
	struct module *m = module_of(modules, path);
	struct reader r = {0};
	char text[LINE];

	if (!m || m->error || access("/usr/bin/readelf", X_OK)) {
		modules_free(modules);
		skip();
	}
	assert_int_equal(ehframe_compile(module_frames(m), &r.table), 0);
	snprintf(text, sizeof(text),
		 "readelf --debug-dump=frames-interp,no-follow-links %s 2>/dev/null", m->path);
	r.from = popen(text, "r");
	assert_non_null(r.from);
	while (fgets(text, sizeof(text), r.from))
		read_line(&r, text);
	finish_line(&r, r.end);
	assert_int_equal(pclose(r.from), 0);
	print_message("%s: %lu lines, %zu rows\n", path, r.compared, r.table.count);
	assert_true(r.compared > 0);
	ehframe_release(&r.table);
	modules_free(modules);
}

#define LIB "/usr/lib/x86_64-linux-gnu/"
#define AGREES(path)                                                                               \
	{                                                                                          \
		path, agrees_with_readelf, NULL, NULL, (void *)(path)                              \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    AGREES("/proc/self/exe"),	     AGREES(LIB "libc.so.6"),
	    AGREES(LIB "libm.so.6"),	     AGREES("/lib64/ld-linux-x86-64.so.2"),
	    AGREES(LIB "libstdc++.so.6"),    AGREES(LIB "libcrypto.so.3"),
	    AGREES(LIB "libpthread.so.0"),   AGREES("/usr/sbin/nginx"),
	    AGREES("/usr/bin/python3"),	     AGREES("/usr/sbin/haproxy"),
	    AGREES("/usr/bin/redis-server"),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

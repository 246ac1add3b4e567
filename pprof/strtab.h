/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table that keeps each byte string once and numbers them from 1 in the order of arrival; 0 is
 * the empty one. It is the string table of a profile, and, because functions and locations are
 * just fixed-width rows to be kept once and numbered from 1 too, profile.c keeps those in tables
 * of the same kind.
 *
 * Context AGENT, one thread at a time. It never drops or shortens anything: only memory bounds it.
 */
#ifndef PPROF_STRTAB_H
#define PPROF_STRTAB_H

#include <stddef.h>
#include <stdint.h>

struct pprof_strtab_entry {
	size_t len;
	uint32_t hash;
};

struct pprof_strtab {
	char **strings; /* by index; each on its own, aligned as malloc does, NUL-terminated */
	struct pprof_strtab_entry *entries; /* by index, beside strings */
	uint32_t *slots;		    /* open addressing: an index into strings, 0 is free */
	size_t n_slots;			    /* a power of two; strings has room for half as many */
	size_t n;
};

/* 0 or -ENOMEM. After a failure release() is allowed and not needed. */
int pprof_strtab_init(struct pprof_strtab *t);
void pprof_strtab_release(struct pprof_strtab *t);

/* The index of these bytes, added unless present; -ENOMEM leaves the table as it was. */
int64_t pprof_strtab_intern_bytes(struct pprof_strtab *t, const void *bytes, size_t len);

/*
 * The same for text; NULL is "". Servers refuse a whole profile over one string that is not UTF-8,
 * and symbol names and file names come from foreign objects: each bad byte becomes a '?'.
 */
int64_t pprof_strtab_intern(struct pprof_strtab *t, const char *text);

#endif

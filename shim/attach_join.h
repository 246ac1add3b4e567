/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach_join.h - joining the service's agent, and the little text that the attaching children make
 * without libc. HANDLER: for the children of shim/attach.c.
 */
#ifndef SPANPROF_SHIM_ATTACH_JOIN_H
#define SPANPROF_SHIM_ATTACH_JOIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

struct attach_address {
	struct sockaddr_un address; /* abstract: sun_path[0] is NUL */
	uint32_t length;
};

/* For the user we are now, which may not be the one of the constructor. */
void attach_address_make(struct attach_address *a, uint64_t config_hash);

static inline const char *attach_address_name(const struct attach_address *a)
{
	return a->address.sun_path + 1;
}

/* Hand over what lies at the descriptors of enum feed_fd. False: there is no agent of our user. */
bool attach_join(const struct attach_address *a, int32_t pid, bool with_maps);

/* Append to a string that has room; the new end. */
char *attach_put_text(char *to, const char *text);
char *attach_put_number(char *to, uint64_t n, unsigned base, unsigned width);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a profile to the bytes of a .pb.gz file, which are also what servers take. Context AGENT.
 */
#ifndef PPROF_ENCODE_H
#define PPROF_ENCODE_H

#include "pprof/profile.h"

/* An encoding above this, before compression, is refused; servers refuse far less. */
#define PPROF_MAX_ENCODED ((size_t)256 << 20)

/*
 * The gzip'ed profile in *out, for the caller to free(). The profile is unchanged and may grow on.
 * The same profile gives the same bytes: the gzip header bears no time. It is compressed already,
 * so whoever sends it adds no Content-Encoding. 0, -ENOMEM or -EFBIG; on failure *out is NULL.
 */
int pprof_encode(const struct pprof_profile *p, unsigned char **out, size_t *len);

#endif

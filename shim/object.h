/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.h - a loaded object's addresses and names. Context: APP, inside dl_iterate_phdr, which keeps
 * the object where it is.
 */
#ifndef SPANPROF_SHIM_OBJECT_H
#define SPANPROF_SHIM_OBJECT_H

#include <link.h>

#include "shim/feed.h"

/* Every byte of *object is written, so that two descriptions of one object compare equal. */
void object_describe(struct feed_object *object, const struct dl_phdr_info *info);

#endif

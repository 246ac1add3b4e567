/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peek.h - is this page readable? Asked without an fd, a fault handler or a lock. Context: HANDLER.
 */
#ifndef SPANPROF_SHIM_PEEK_H
#define SPANPROF_SHIM_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The granularity of the question: no page is smaller. */
#define PEEK_PAGE 4096U

/* True if 8 bytes at address can be read now. About 0.2 us: a system call. */
bool peek_readable(uintptr_t address);
/* How many bytes from address on can be read, at most max; asks once a page. */
size_t peek_extent(uintptr_t address, size_t max);

#endif

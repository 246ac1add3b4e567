/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peek.h - memory that may not be there, read or asked for without an fd, a fault handler or a lock.
 * Context: HANDLER.
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
/*
 * Copy what can be read from address on, at most size bytes, both multiples of 8; returns how much that
 * was. The kernel copies, so that nothing faults whatever other threads unmap meanwhile, and it takes
 * nothing from a device's mapping.
 */
size_t peek_copy(void *to, uintptr_t address, size_t size);

#endif

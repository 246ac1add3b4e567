/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raw.h - system calls without libc. Context: any, HANDLER above all; also the children that
 * shim/attach.c clones into the host's address space, which must touch neither errno nor any other
 * thread-local. All return the kernel's value: 0 or more, or -errno.
 */
#ifndef SPANPROF_SHIM_RAW_H
#define SPANPROF_SHIM_RAW_H

#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#include "shim/raw_x86_64.h"
#elif defined(__aarch64__)
#include "shim/raw_aarch64.h"
#else
#error "spanprof: this architecture is not supported"
#endif

#define RAW_ARG(x) ((long)(uintptr_t)(x))
#define raw0(n) raw_syscall(n, 0, 0, 0, 0, 0, 0)
#define raw1(n, a) raw_syscall(n, RAW_ARG(a), 0, 0, 0, 0, 0)
#define raw2(n, a, b) raw_syscall(n, RAW_ARG(a), RAW_ARG(b), 0, 0, 0, 0)
#define raw3(n, a, b, c) raw_syscall(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), 0, 0, 0)
#define raw4(n, a, b, c, d) raw_syscall(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), 0, 0)
#define raw5(n, a, b, c, d, e)                                                                       \
	raw_syscall(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), RAW_ARG(e), 0)
#define raw6(n, a, b, c, d, e, f)                                                                    \
	raw_syscall(n, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), RAW_ARG(e), RAW_ARG(f))

#endif

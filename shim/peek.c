/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peek.c - probes memory through rt_sigprocmask: the kernel copies the new set from the address before
 * it looks at "how", so an impossible "how" makes a read without an effect: EINVAL when the address is
 * readable, EFAULT when it is not. HANDLER.
 */
#include <errno.h>

#include "shim/peek.h"
#include "shim/raw.h"
#undef errno
#include "shim/sigsafe.h"

#define PEEK_SIGSET_SIZE 8
#define PEEK_IMPOSSIBLE_HOW 0x7fffL

bool peek_readable(uintptr_t address)
{
	long result = raw4(SYS_rt_sigprocmask, PEEK_IMPOSSIBLE_HOW, address, NULL, PEEK_SIGSET_SIZE);

	return result == -EINVAL;
}

size_t peek_extent(uintptr_t address, size_t max)
{
	size_t extent = 0;

	while (extent < max) {
		uintptr_t page = (address + extent) & ~(uintptr_t)(PEEK_PAGE - 1);

		if (!peek_readable(page))
			break;
		extent = page + PEEK_PAGE - address;
	}
	return extent < max ? extent : max;
}

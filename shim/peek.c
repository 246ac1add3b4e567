/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peek.c - reads memory through process_vm_readv of this very process, which needs neither a capability
 * nor a descriptor. HANDLER.
 *
 * Where a sandbox or the kernel's configuration refuses that, it asks first and reads then. It asks
 * rt_sigprocmask: the kernel copies the new set from the address before it looks at "how", so an
 * impossible "how" makes a read without an effect: EINVAL when the address is readable, EFAULT when it
 * is not.
 */
#include <errno.h>
#include <sys/uio.h>

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

/* Word by word: memcpy may be a vector one, which the compiler calls through an IFUNC. */
static size_t ask_and_copy(uint64_t *to, uintptr_t address, size_t size)
{
	const uint64_t *from = (const uint64_t *)address;
	size_t i;

	for (i = 0; i < size / sizeof(*to); i++) {
		if ((i == 0 || (uintptr_t)&from[i] % PEEK_PAGE == 0) &&
		    !peek_readable((uintptr_t)&from[i]))
			break;
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	}
	return i * sizeof(*to);
}

size_t peek_copy(void *to, uintptr_t address, size_t size)
{
	size_t done = 0;

	/* Page by page: a call may end at the last whole vector before the fault. */
	while (done < size) {
		uintptr_t at = address + done;
		size_t n = PEEK_PAGE - at % PEEK_PAGE;
		struct iovec local = {(uint8_t *)to + done, n < size - done ? n : size - done};
		struct iovec remote = {(void *)at, local.iov_len};
		long got = raw6(SYS_process_vm_readv, raw0(SYS_getpid), &local, 1, &remote, 1, 0);

		if (got == -ENOSYS || got == -EPERM)
			return done + ask_and_copy(local.iov_base, at, size - done);
		if (got <= 0)
			break;
		done += (size_t)got & ~(size_t)7;
		if ((size_t)got < local.iov_len)
			break;
	}
	return done;
}

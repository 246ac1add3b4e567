/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_process.c - the calls after which attaching would break or be impossible. APP: they act first.
 * libseccomp reaches the kernel through prctl and syscall, which is why both are here.
 */
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim/observe.h"
#include "shim/process.h"
#include "shim/real.h"

#define PROCESS_LANDLOCK_RESTRICT_SELF 446 /* everywhere; older headers lack its name */

EXPORT int unshare(int flags)
{
	OBSERVE(process_attach_first());
	return REAL(unshare)(flags);
}

EXPORT int setns(int fd, int type)
{
	OBSERVE(process_attach_first());
	return REAL(setns)(fd, type);
}

EXPORT int chroot(const char *path)
{
	OBSERVE(process_attach_first());
	return REAL(chroot)(path);
}

EXPORT int prctl(int option, ...)
{
	unsigned long a[4];
	va_list arguments;

	/* Four words are always passed: reading more than the caller gave is harmless, and the kernel
	 * ignores what the option does not use, exactly as it does bare. */
	va_start(arguments, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (option == PR_SET_SECCOMP)
		OBSERVE(process_disarm(ATTACH_CONFINED));
	return REAL(prctl)(option, a[0], a[1], a[2], a[3]);
}

static void before_syscall(long number, long first)
{
	switch (number) {
	case SYS_seccomp:
		if (first == SECCOMP_SET_MODE_STRICT || first == SECCOMP_SET_MODE_FILTER)
			process_disarm(ATTACH_CONFINED);
		break;
	case SYS_prctl:
		if (first == PR_SET_SECCOMP)
			process_disarm(ATTACH_CONFINED);
		break;
	case SYS_unshare:
	case SYS_setns:
	case SYS_chroot:
	case PROCESS_LANDLOCK_RESTRICT_SELF:
		process_attach_first();
		break;
	}
}

void *process_before_syscall(long number, long first)
{
	OBSERVE(before_syscall(number, first));
	return (void *)REAL(syscall);
}

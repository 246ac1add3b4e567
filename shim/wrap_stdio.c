/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrap_stdio.c - formatted output straight to a descriptor, whose writes libc makes by calls that pass no
 * symbol. APP: how much went out is known, what it was is not.
 */
#include <stdarg.h>
#include <stdio.h>

#include "shim/conn.h"
#include "shim/observe.h"
#include "shim/real.h"

/* Fortified twins: declared by no header that a file may include. */
int __dprintf_chk(int fd, int flag, const char *format, ...);
int __vdprintf_chk(int fd, int flag, const char *format, va_list arguments);

EXPORT int vdprintf(int fd, const char *format, va_list arguments)
{
	int put = REAL(vdprintf)(fd, format, arguments);

	OBSERVE(conn_sent(thread, fd, NULL, put));
	return put;
}

EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list arguments)
{
	int put = REAL(__vdprintf_chk)(fd, flag, format, arguments);

	OBSERVE(conn_sent(thread, fd, NULL, put));
	return put;
}

EXPORT int dprintf(int fd, const char *format, ...)
{
	va_list arguments;
	int put;

	va_start(arguments, format);
	put = REAL(vdprintf)(fd, format, arguments);
	va_end(arguments);
	OBSERVE(conn_sent(thread, fd, NULL, put));
	return put;
}

EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list arguments;
	int put;

	va_start(arguments, format);
	put = REAL(__vdprintf_chk)(fd, flag, format, arguments);
	va_end(arguments);
	OBSERVE(conn_sent(thread, fd, NULL, put));
	return put;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal digits as they stand in protocols. Pure; context: any. */
#ifndef SPANPROF_SHIM_HEX_H
#define SPANPROF_SHIM_HEX_H

/* -1: none. Upper case is none either: W3C Trace Context, section 3.2.2, and B3. */
static inline int hex_lower_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The same in either case. */
static inline int hex_digit(char c)
{
	return hex_lower_digit(c >= 'A' && c <= 'F' ? (char)(c | 0x20) : c);
}

#endif

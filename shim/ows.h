/* SPDX-License-Identifier: Apache-2.0 */
/* Optional whitespace in header fields (RFC 9110, section 5.6.3). Pure; context: any. */
#ifndef SPANPROF_SHIM_OWS_H
#define SPANPROF_SHIM_OWS_H

#include <stdbool.h>

static inline bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked names to the names that the program's author wrote: C++ (Itanium), Rust (both schemes), D,
 * Ada (GNAT).
 *
 * AGENT. Names are foreign bytes and mangling allows a short one to stand for an endless one, so
 * length, nesting and output are bounded; what exceeds a bound stays as linked.
 */
#ifndef SPANPROF_AGENT_DEMANGLE_H
#define SPANPROF_AGENT_DEMANGLE_H

#include <stdbool.h>

#define DEMANGLE_INPUT_MAX 4096
#define DEMANGLE_OUTPUT_MAX 16384

/*
 * NULL when the name is not mangled, or beyond a bound; else the result, valid until the next
 * call. With shorten, arguments of templates and generics become "...".
 */
const char *demangle(const char *linked, bool shorten);

/*
 * The same for a name that GNAT has linked: "work__inner__step" is "work.inner.step". Nothing in it
 * says so: the caller knows that it is Ada's.
 */
const char *demangle_ada(const char *linked);

/* In place: "std::vector<int, std::allocator<int> >::size() const" to "std::vector<...>::size()
 * const". */
void demangle_shorten(char *name);

#endif

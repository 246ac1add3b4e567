/* SPDX-License-Identifier: Apache-2.0 */
/* What throws.cc and its three libraries share. Each calls the next one; exceptions go back through all
 * of them, and destructors on the way do work, so that samples fall into the middle of an unwinding. */
#ifndef THROWS_H
#define THROWS_H

#include <stdexcept>
#include <string>

struct inner_error : std::runtime_error {
	inner_error(const std::string &what, int depth) : std::runtime_error(what), depth(depth) {}
	int depth;
};

/* A loop of about a microsecond times n, which no compiler sees through. */
unsigned long burn(unsigned long n);

/* Does work when it goes, also when an exception makes it go. */
struct guard {
	explicit guard(unsigned long n) : n(n) {}
	~guard();
	unsigned long n;
};

/* libthrows_outer, libthrows_middle, libthrows_inner. */
unsigned long outer(unsigned seed, int depth);
unsigned long middle(unsigned seed, int depth);
unsigned long inner(unsigned seed, int depth);

#endif

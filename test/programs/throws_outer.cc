// SPDX-License-Identifier: Apache-2.0
// The outermost library: catches, keeps exceptions and throws them again elsewhere.
#include "throws.h"

#include <exception>

static std::exception_ptr kept(unsigned seed, int depth)
{
	guard g(1);

	try {
		middle(seed, depth);
	} catch (...) {
		burn(1);
		return std::current_exception();
	}
	return nullptr;
}

unsigned long outer(unsigned seed, int depth)
{
	guard g(1);

	if (seed % 5 == 0) {
		if (auto e = kept(seed, depth))
			std::rethrow_exception(e);
	}
	return middle(seed, depth) + burn(1);
}

// SPDX-License-Identifier: Apache-2.0
// The library in the middle: passes exceptions on, rethrows some, turns some into others.
#include "throws.h"

#include <memory>
#include <vector>

namespace {

struct stage {
	virtual ~stage() { burn(1); }
	virtual unsigned long run(unsigned seed, int depth) = 0;
};

struct passes : stage {
	unsigned long run(unsigned seed, int depth) override
	{
		std::vector<guard> guards(3, guard(1));

		return inner(seed, depth) + guards.size();
	}
};

struct rethrows : stage {
	unsigned long run(unsigned seed, int depth) override
	{
		try {
			return inner(seed, depth);
		} catch (const inner_error &e) {
			burn(2);
			throw;
		}
	}
};

struct turns : stage {
	unsigned long run(unsigned seed, int depth) override
	try {
		return inner(seed, depth);
	} catch (int n) {
		throw inner_error("was " + std::to_string(n), depth);
	}
};

} // namespace

unsigned long middle(unsigned seed, int depth)
{
	std::unique_ptr<stage> s;

	switch (seed % 3) {
	case 0:
		s = std::make_unique<passes>();
		break;
	case 1:
		s = std::make_unique<rethrows>();
		break;
	default:
		s = std::make_unique<turns>();
	}
	if (depth % 2)
		return s->run(seed, depth) + middle(seed + 1, depth - 1);
	return s->run(seed, depth);
}

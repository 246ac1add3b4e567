// SPDX-License-Identifier: Apache-2.0
// The innermost library: throws, from frames of every kind that GCC makes.
#include "throws.h"

#include <alloca.h>
#include <algorithm>
#include <cstdarg>
#include <cstring>
#include <functional>
#include <map>
#include <regex>
#include <vector>

unsigned long burn(unsigned long n)
{
	unsigned long h = n;

	for (unsigned long i = 0; i < n * 400; i++)
		h = (h ^ i) * 0x100000001b3UL;
	return h;
}

guard::~guard()
{
	n = burn(n);
}

// A frame that is addressed by rbp, since its size is not known.
__attribute__((noinline)) static unsigned long variable_frame(unsigned seed)
{
	size_t n = 16 + seed % 300;
	char *room = static_cast<char *>(alloca(n));
	guard g(2);

	memset(room, static_cast<int>(seed), n);
	return burn(3) + static_cast<unsigned long>(room[seed % n]);
}

// A frame that is realigned.
__attribute__((noinline)) static unsigned long aligned_frame(unsigned seed, int depth)
{
	alignas(128) volatile unsigned long lanes[32];

	for (int i = 0; i < 32; i++)
		lanes[i] = seed + static_cast<unsigned>(i);
	if (depth > 0)
		return aligned_frame(seed + 1, depth - 1) + lanes[seed % 32];
	return burn(2) + lanes[seed % 32] + variable_frame(seed);
}

// Both at once.
__attribute__((noinline)) static unsigned long aligned_variable_frame(unsigned seed)
{
	alignas(64) volatile unsigned long lanes[8] = {seed};
	char *room = static_cast<char *>(alloca(32 + seed % 200));

	room[0] = static_cast<char>(seed);
	return burn(2) + lanes[0] + static_cast<unsigned long>(room[0]) + aligned_frame(seed, 1);
}

__attribute__((noinline)) static unsigned long sum_of(int n, ...)
{
	va_list list;
	unsigned long sum = burn(1);

	va_start(list, n);
	for (int i = 0; i < n; i++)
		sum += static_cast<unsigned long>(va_arg(list, double));
	va_end(list);
	return sum;
}

__attribute__((noinline)) static unsigned long sorted(unsigned seed)
{
	std::vector<std::string> words;
	std::map<std::string, unsigned> counts;

	for (unsigned i = 0; i < 60; i++)
		words.push_back(std::to_string((seed + i) * 2654435761U % 977));
	std::sort(words.begin(), words.end(), [](const std::string &a, const std::string &b) {
		return a.size() != b.size() ? a.size() < b.size() : a > b;
	});
	for (const auto &w : words)
		counts[w]++;
	return counts.size();
}

__attribute__((noinline)) static unsigned long matched(unsigned seed)
{
	static const std::regex pattern("([a-z]+)([0-9]*)-(x|y)+");
	std::string text = "abc" + std::to_string(seed % 1000) + "-xyxyx";

	return std::regex_match(text, pattern);
}

__attribute__((noinline)) static void throw_at(unsigned seed, int depth)
{
	guard g(1);

	if (seed % 3 == 0)
		throw inner_error("inner " + std::to_string(seed), depth);
	if (seed % 7 == 0)
		throw static_cast<int>(seed);
}

unsigned long inner(unsigned seed, int depth)
{
	guard g(2);
	std::function<unsigned long(unsigned)> kinds[] = {
		variable_frame, [depth](unsigned s) { return aligned_frame(s, depth % 4); },
		aligned_variable_frame, sorted, matched,
		[](unsigned s) { return sum_of(3, 1.0 * s, 2.0 * s, 3.0); }};
	unsigned long sum = 0;

	for (auto &kind : kinds)
		sum += kind(seed);
	if (depth > 0)
		sum += inner(seed * 5 + 1, depth - 1);
	throw_at(seed, depth);
	return sum;
}

// SPDX-License-Identifier: Apache-2.0
// throws SECONDS: exceptions through three shared libraries, in the main thread and in another one, until
// they have used so much CPU time or twelve times as much has gone by.
// Prints how many were caught.
#include "throws.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>

using moment = std::chrono::steady_clock::time_point;

static unsigned long work(clock_t ticks, moment end, unsigned seed)
{
	unsigned long caught = 0;

	while (clock() < ticks && std::chrono::steady_clock::now() < end) {
		try {
			seed += static_cast<unsigned>(outer(seed, static_cast<int>(seed % 6)) % 3) + 1;
		} catch (const inner_error &e) {
			caught++;
			seed += 2;
		} catch (int) {
			caught++;
			seed += 1;
		}
	}
	return caught;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	auto ticks = static_cast<clock_t>(seconds * CLOCKS_PER_SEC);
	auto end = std::chrono::steady_clock::now() +
		   std::chrono::milliseconds(static_cast<int>(seconds * 12000));
	unsigned long there = 0, here;
	std::thread other([&] { there = work(ticks, end, 4); });

	here = work(ticks, end, 1);
	other.join();
	printf("caught %lu %lu\n", here, there);
	return here && there ? 0 : 1;
}

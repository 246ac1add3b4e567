/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closes every descriptor above the standard ones, its own or not, as daemons do; what it opens next has
 * the numbers of what was closed. Then bytes go through socket pairs and pipes while both ends use CPU
 * time, and each byte must arrive, once and in order.
 *
 * usage: fd_theft SECONDS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "host.h"

#define PAIRS 4 /* half of them pipes */

struct channel {
	int from, to;
	unsigned long sent, received, wrong;
};

static struct channel channels[PAIRS];
static _Atomic int stop;

__attribute__((noinline, noclone)) static unsigned deeper(unsigned depth, unsigned x)
{
	volatile unsigned kept = x;

	if (depth)
		return deeper(depth - 1, x * 2654435761U) + kept;
	for (unsigned i = 0; i < 20000; i++)
		x = x * 1664525U + i;
	return x + kept;
}

static void *send_bytes(void *arg)
{
	struct channel *c = arg;

	while (!atomic_load(&stop)) {
		unsigned char byte = (unsigned char)c->sent++;

		HOST_CHECK(write(c->to, &byte, 1) == 1);
		host_sink = deeper(c->sent % 40, byte);
	}
	close(c->to);
	return NULL;
}

static void *receive_bytes(void *arg)
{
	struct channel *c = arg;
	unsigned char byte;
	ssize_t n;

	while ((n = read(c->from, &byte, 1)) == 1) {
		c->wrong += byte != (unsigned char)c->received++;
		host_sink = deeper(c->received % 40, byte);
	}
	HOST_CHECK(n == 0);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[2 * PAIRS];
	struct rlimit limit;

	/* Whatever a profiler opens at its first sample is open by now. */
	host_burn(0.1);
	getrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = 3; fd < (int)limit.rlim_cur && fd < 65536; fd++)
		close(fd);
	for (int i = 0; i < PAIRS; i++) {
		int pair[2];

		HOST_CHECK(!(i % 2 ? pipe(pair) : socketpair(AF_UNIX, SOCK_STREAM, 0, pair)));
		channels[i].from = pair[0];
		channels[i].to = pair[1];
	}
	for (int i = 0; i < PAIRS; i++) {
		HOST_CHECK(!pthread_create(&threads[2 * i], NULL, send_bytes, &channels[i]));
		HOST_CHECK(!pthread_create(&threads[2 * i + 1], NULL, receive_bytes, &channels[i]));
	}
	host_sleep(atof(argv[1]));
	atomic_store(&stop, 1);
	for (int i = 0; i < 2 * PAIRS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < PAIRS; i++)
		printf("channel %d: %s\n", i,
		       channels[i].wrong || channels[i].sent != channels[i].received ? "altered"
										      : "intact");
	host_say_cpu();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - the client of the attribution matrix. One blocking thread a connection; says at the end
 *
 *	answered N failed N seconds S traced_us N untraced_us N
 *
 * where the last two are the CPU time that was asked for with and without a context.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "slot.h"

#define SLOTS_MAX 256

struct load load = {.host = "127.0.0.1",
		    .path = "/burn",
		    .prefix = "5ba17ace",
		    .user = "postgres",
		    .slots = 16,
		    .streams = 1,
		    .mode = MODE_HALF};
static double seconds = 4;
static unsigned long budget_us = 2500000;
static unsigned factor = 1; /* of the requests' cost */
static void (*run)(unsigned, unsigned) = http1_run;

static struct timespec start;
static atomic_ulong answered, failed, traced_us, untraced_us;
static atomic_flag said;

static double elapsed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
}

static bool carries(unsigned index, unsigned parity)
{
	switch (load.mode) {
	case MODE_NONE:
		return false;
	case MODE_HALF:
		return index % 2 == 0;
	case MODE_ALTERNATE:
		return parity == 0;
	default:
		return true;
	}
}

/* One to six milliseconds, each function its own. */
static unsigned cost(unsigned n)
{
	return 1000 + (n + 3) * 7919 % 5001;
}

bool slot_next(struct slot *slot, struct ask *ask)
{
	unsigned parity = slot->turn & 1;

	ask->n = 2 * slot->index + parity;
	ask->us = cost(ask->n) * factor;
	if (atomic_load(&traced_us) + atomic_load(&untraced_us) >= budget_us ||
	    elapsed() > seconds || atomic_load(&failed) > 100)
		return false;
	/* Shares of the connections' lives, not of the requests' kinds: by a turn that both kinds
	 * share. */
	ask->close = load.early ||
		     ((slot->turn / 2 * 37 + slot->index * 13) % 100 < load.close_percent && parity);
	ask->traceparent[0] = 0;
	if (carries(slot->index, parity))
		snprintf(ask->traceparent, sizeof(ask->traceparent),
			 "00-%.8s%04x%012x%08x-b%03x%012x-01", load.prefix, ask->n, 0xa77u,
			 slot->turn, ask->n, slot->turn);
	atomic_fetch_add(ask->traceparent[0] ? &traced_us : &untraced_us, ask->us);
	slot->turn++;
	return true;
}

void slot_target(const struct ask *ask, char *target, size_t size)
{
	size_t length = strlen(load.path);
	bool by_name = length && load.path[length - 1] == '/';
	char name[16] = "";

	if (by_name)
		snprintf(name, sizeof(name), "%u", ask->n);
	snprintf(target, size, "%s%s?n=%u&us=%u", load.path, name, ask->n, ask->us);
}

void slot_answered(void)
{
	atomic_fetch_add(&answered, 1);
}

void slot_failed(const char *why)
{
	atomic_fetch_add(&failed, 1);
	if (!atomic_flag_test_and_set(&said))
		fprintf(stderr, "load: %s\n", why);
}

static void *connection(void *number)
{
	unsigned first = (unsigned)(size_t)number * load.streams;

	run(first, first + load.streams > load.slots ? load.slots - first : load.streams);
	return NULL;
}

static void choose_protocol(const char *name)
{
	load.tls = !strncmp(name, "https", 5) || !strcmp(name, "h2");
	load.upgrade = !strcmp(name, "h2upgrade");
	load.early = !strcmp(name, "https0rtt");
	if (!strcmp(name, "h2") || !strcmp(name, "h2c") || load.upgrade)
		run = http2_run;
	else if (!strcmp(name, "grpc"))
		run = grpc_run;
	else if (!strcmp(name, "pg"))
		run = postgres_run;
	else if (!strcmp(name, "redis"))
		run = redis_run;
	else if (!strcmp(name, "mariadb"))
		run = mariadb_run;
	else if (!strcmp(name, "pgx"))
		run = postgres_extended_run;
	else if (!strcmp(name, "pgprepared") || !strcmp(name, "pgkept"))
		run = postgres_prepared_run;
	else if (!strcmp(name, "mariadbprepared") || !strcmp(name, "mariadbkept"))
		run = mariadb_prepared_run;
	load.kept = !strcmp(name, "pgkept") || !strcmp(name, "mariadbkept");
}

static void choose_mode(const char *name)
{
	static const char *const names[] = {"none", "half", "alternate", "all"};

	for (int i = 0; i < 4; i++)
		if (!strcmp(name, names[i]))
			load.mode = (enum mode)i;
}

static void options(int argc, char **argv)
{
	for (int option; (option = getopt(argc, argv, "p:c:t:s:b:k:m:P:u:x:")) != -1;) {
		if (option == 'p')
			choose_protocol(optarg);
		else if (option == 'c')
			load.slots = (unsigned)atoi(optarg);
		else if (option == 't')
			choose_mode(optarg);
		else if (option == 's')
			seconds = atof(optarg);
		else if (option == 'b')
			budget_us = (unsigned long)atol(optarg) * 1000;
		else if (option == 'k')
			load.close_percent = (unsigned)atoi(optarg);
		else if (option == 'm')
			load.streams = (unsigned)atoi(optarg);
		else if (option == 'P')
			load.prefix = optarg;
		else if (option == 'x')
			factor = (unsigned)atoi(optarg);
		else if (option == 'u')
			load.user = optarg;
		else
			exit(2);
	}
	if (optind >= argc || !load.slots || load.slots > SLOTS_MAX || !load.streams) {
		fprintf(
		    stderr,
		    "usage: load [-p http|https|https0rtt|h2|h2c|h2upgrade|grpc|pg|pgx|mariadb|redis] [-c "
		    "slots] [-m "
		    "streams] "
		    "[-t none|half|alternate|all] [-s seconds] [-b CPU-ms] [-k close%%] [-x cost "
		    "factor] PORT [PATH]\n");
		exit(2);
	}
	load.port = atoi(argv[optind]);
	if (optind + 1 < argc)
		load.path = argv[optind + 1];
}

int main(int argc, char **argv)
{
	pthread_t threads[SLOTS_MAX];
	pthread_attr_t attributes;
	unsigned count;

	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	clock_gettime(CLOCK_MONOTONIC, &start);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 << 10);
	count = (load.slots + load.streams - 1) / load.streams;
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&threads[i], &attributes, connection, (void *)(size_t)i) != 0)
			exit(1);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("answered %lu failed %lu seconds %.3f traced_us %lu untraced_us %lu\n", answered,
	       failed, elapsed(), traced_us, untraced_us);
	return 0;
}

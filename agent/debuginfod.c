/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debuginfod.c - which debug files were asked for, what came of it, and when to ask for the next. AGENT:
 * one table for the process, of the loop and the encoder. Whether a file is what it should be is for
 * debugfile.c to see, as with any other.
 */
#include "agent/debuginfod.h"

#include "agent/debuginfod_fetch.h"
#include "agent/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NSEC_PER_MSEC 1000000ull
#define BUILD_ID_MAX 128 /* hexadecimal digits */

enum state { WANTED, UNDER_WAY, HERE, ABSENT };

struct object {
	char build_id[BUILD_ID_MAX + 1];
	enum state state;
	uint64_t again_ns; /* ABSENT: when it may be wanted again */
	char *path;	   /* HERE */
};

/* The encoder adds objects and reads what became of them; all else is the loop's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object objects[DEBUGINFOD_OBJECTS_MAX];
static size_t count;
static atomic_uint arrivals;
static bool enabled;

/* The loop's. */
static struct debuginfod_child child;
static struct object *fetched;
static uint64_t begun_ns, paused_until_ns, window_ns, busy_ns;
static bool said;

void debuginfod_configure(bool wanted)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	enabled = wanted && urls && *urls;
	if (wanted && !enabled)
		log_warn("SPANPROF_DEBUGINFOD is set, but DEBUGINFOD_URLS names no server");
}

unsigned debuginfod_arrivals(void)
{
	return atomic_load_explicit(&arrivals, memory_order_acquire);
}

static struct object *object_of(const char *build_id)
{
	struct object *o;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(objects[i].build_id, build_id))
			return &objects[i];
	if (count == DEBUGINFOD_OBJECTS_MAX || strlen(build_id) > BUILD_ID_MAX)
		return NULL;
	o = &objects[count++];
	strcpy(o->build_id, build_id);
	o->state = WANTED;
	return o;
}

bool debuginfod_find(const char *build_id, char *path, size_t size)
{
	const struct object *o;
	bool here = false;

	if (!enabled || !*build_id)
		return false;
	pthread_mutex_lock(&lock);
	o = object_of(build_id);
	if (o && o->state == HERE && strlen(o->path) < size) {
		strcpy(path, o->path);
		here = true;
	}
	pthread_mutex_unlock(&lock);
	return here;
}

static void fail(int error, uint64_t now_ns)
{
	paused_until_ns = now_ns + DEBUGINFOD_PAUSE_MS * NSEC_PER_MSEC;
	if (!said)
		log_warn("cannot fetch debug files from DEBUGINFOD_URLS: %s; names do without, and it is "
			 "tried again every %d minutes",
			 error == -ELIBACC ? "no libdebuginfod.so.1" : strerror(-error),
			 DEBUGINFOD_PAUSE_MS / 60000);
	said = true;
}

/* What a fetch came to; path is for 0. */
static void settle(int error, const char *path, uint64_t now_ns)
{
	busy_ns += now_ns - begun_ns;
	pthread_mutex_lock(&lock);
	fetched->state = WANTED;
	if (!error && (fetched->path = strdup(path)))
		fetched->state = HERE;
	if (error == -ENOENT) {
		fetched->state = ABSENT;
		fetched->again_ns = now_ns + DEBUGINFOD_ABSENT_MS * NSEC_PER_MSEC;
	}
	pthread_mutex_unlock(&lock);
	if (error && error != -ENOENT) {
		fail(error, now_ns);
		return;
	}
	log_debug("debug file of build-id %s: %s", fetched->build_id, error ? "no server has it" : path);
	if (said)
		log_warn("debug files are fetched from DEBUGINFOD_URLS again");
	said = false;
	if (!error)
		atomic_fetch_add_explicit(&arrivals, 1, memory_order_release);
}

static struct object *next_wanted(uint64_t now_ns)
{
	struct object *found = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < count && !found; i++)
		if (objects[i].state == WANTED ||
		    (objects[i].state == ABSENT && now_ns > objects[i].again_ns))
			found = &objects[i];
	if (found)
		found->state = UNDER_WAY;
	pthread_mutex_unlock(&lock);
	return found;
}

static bool may_begin(uint64_t now_ns)
{
	if (now_ns < paused_until_ns)
		return false;
	if (!window_ns || now_ns - window_ns > DEBUGINFOD_WINDOW_MS * NSEC_PER_MSEC) {
		window_ns = now_ns;
		busy_ns = 0;
	}
	return busy_ns < DEBUGINFOD_BUSY_MS * NSEC_PER_MSEC;
}

void debuginfod_poll(uint64_t now_ns)
{
	char path[PATH_MAX];
	int error;

	if (!enabled)
		return;
	if (child.pid) {
		error = debuginfod_reap(&child, path);
		if (error == -EAGAIN && now_ns - begun_ns <= DEBUGINFOD_FETCH_MS * NSEC_PER_MSEC)
			return;
		if (error == -EAGAIN) {
			debuginfod_kill(&child);
			error = -ETIMEDOUT;
		}
		settle(error, path, now_ns);
	}
	if (!may_begin(now_ns) || !(fetched = next_wanted(now_ns)))
		return;
	begun_ns = now_ns;
	error = debuginfod_spawn(&child, fetched->build_id);
	if (error)
		settle(error, NULL, now_ns);
}

void debuginfod_release(void)
{
	debuginfod_kill(&child);
	enabled = said = false;
	paused_until_ns = window_ns = 0;
	while (count) {
		free(objects[--count].path);
		objects[count] = (struct object){0};
	}
}

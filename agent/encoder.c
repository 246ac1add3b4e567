/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder.c - the agent's second thread, for one job at a time. AGENT: used by deliver.c. The thread
 * starts with the first job and has no other work: without one it sleeps. Where no thread can be had,
 * the job is done at once.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "agent/encoder.h"

struct part {
	struct part *next;
	unsigned char *bytes;
	size_t n;
};

struct encoder {
	pthread_mutex_t lock; /* of go, done and quit */
	pthread_cond_t work;
	pthread_t thread;
	bool running; /* there is a thread */
	bool busy;    /* the loop's view: started, not yet finished */
	bool go, done, quit;
	/* The job: the loop's until go is set, the thread's from then on until done is. */
	const struct aggregate *aggregate;
	struct export_options options;
	struct part *parts, **last;
	int error;
};

struct encoder *encoder_new(void)
{
	struct encoder *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->work, NULL);
	e->last = &e->parts;
	return e;
}

static void keep_part(void *arg, unsigned char *bytes, size_t n)
{
	struct encoder *e = arg;
	struct part *p = malloc(sizeof(*p));

	if (!p) {
		free(bytes);
		e->error = -ENOMEM;
		return;
	}
	*p = (struct part){.bytes = bytes, .n = n};
	*e->last = p;
	e->last = &p->next;
}

static void encode(struct encoder *e)
{
	int error = export_profile(e->aggregate, &e->options, keep_part, e);

	if (error)
		e->error = error;
}

static void *run(void *arg)
{
	struct encoder *e = arg;

	pthread_mutex_lock(&e->lock);
	while (!e->quit) {
		if (!e->go) {
			pthread_cond_wait(&e->work, &e->lock);
			continue;
		}
		e->go = false;
		pthread_mutex_unlock(&e->lock);
		encode(e);
		pthread_mutex_lock(&e->lock);
		e->done = true;
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

/* Signals are the loop's, except for what this thread's own reading of files may raise. */
static bool have_thread(struct encoder *e)
{
	pthread_attr_t attr;
	sigset_t all, before;

	if (e->running)
		return true;
	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, ENCODER_STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e->running = pthread_create(&e->thread, &attr, run, e) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return e->running;
}

bool encoder_start(struct encoder *e, const struct aggregate *a,
		   const struct export_options *options)
{
	if (e->busy)
		return false;
	e->aggregate = a;
	e->options = *options;
	e->error = 0;
	e->busy = true;
	if (!have_thread(e)) {
		encode(e);
		e->done = true;
		return true;
	}
	pthread_mutex_lock(&e->lock);
	e->go = true;
	pthread_cond_signal(&e->work);
	pthread_mutex_unlock(&e->lock);
	return true;
}

bool encoder_busy(const struct encoder *e)
{
	return e->busy;
}

static void give_parts(struct encoder *e, export_part *part, void *arg)
{
	for (struct part *p = e->parts, *next; p; p = next) {
		next = p->next;
		if (part)
			part(arg, p->bytes, p->n);
		else
			free(p->bytes);
		free(p);
	}
	e->parts = NULL;
	e->last = &e->parts;
}

bool encoder_finish(struct encoder *e, export_part *part, void *arg, int *error)
{
	bool done;

	pthread_mutex_lock(&e->lock);
	done = e->done;
	e->done = false;
	pthread_mutex_unlock(&e->lock);
	if (!done)
		return false;
	e->busy = false;
	*error = e->error;
	give_parts(e, part, arg);
	return true;
}

void encoder_free(struct encoder *e)
{
	if (!e)
		return;
	pthread_mutex_lock(&e->lock);
	e->quit = true;
	pthread_cond_signal(&e->work);
	pthread_mutex_unlock(&e->lock);
	if (e->running)
		pthread_join(e->thread, NULL);
	give_parts(e, NULL, NULL);
	pthread_cond_destroy(&e->work);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_calls_tell.c - what a thread works on that wrote to an HTTP/2 server, or read from one. APP.
 */
#include "shim/attribute.h"
#include "shim/conn_calls_frames.h"
#include "shim/conn_table.h"
#include "shim/live.h"
#include "shim/thread.h"

static bool is_mixed(const struct calls_frames *f)
{
	return f->several || (f->unknown && f->request.flags);
}

/* The thread surely has one request, and writes a frame of another thread's. */
static bool is_carrying(const struct calls_frames *f, bool others)
{
	uint32_t turn;

	return f->known && !f->known_guess && !others && f->known->request != f->request.request &&
	       live_turn(f->thread->tid, f->known->request, &turn);
}

void calls_tell_sent(struct calls_frames *f, bool others)
{
	struct thread *t = f->thread;
	bool same = !f->known || !live_has(f->known->request) || f->known->request == f->request.request;

	if (!f->any) {
		attribute_other(t);
	} else if (is_mixed(f) && (others || !f->known)) {
		attribute_upstream_mixed(t);
	} else if (others && f->unknown) {
		attribute_woken(t);
	} else if (is_mixed(f) || f->unknown) {
		attribute_other(t);
	} else if (is_carrying(f, others)) {
		f->conn->carried = 1;
		attribute_other(t);
	} else if (same || f->named || f->awaited) {
		if (f->misled)
			attribute_misled(t);
		attribute_upstream(t, &f->request, f->guess);
	} else {
		attribute_woken(t);
	}
}

void calls_tell_received(struct calls_frames *f)
{
	struct thread *t = f->thread;
	bool others = attribute_among_others(t);
	bool same = f->known && f->known->request == f->request.request;

	if (f->any && is_mixed(f) && (others || !f->known))
		attribute_read_several(t);
	else if (f->any && !f->unknown && !is_mixed(f) && (same || !f->conn->carried))
		attribute_answered(t, &f->request, f->guess);
	else if (others)
		attribute_woken(t);
	else
		attribute_other(t);
}

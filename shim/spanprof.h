/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanprof.h - for programs that want to say themselves which span a thread works on, where no call
 * shows it: coroutines, queues, pools, protocols of their own. Everything else needs no header.
 *
 * The functions are found in the preloaded library at run time through weak symbols: a program
 * compiled with this header links against nothing and runs the same without spanprof, where every call
 * does nothing and says ENOSYS. They change no errno, take no lock, allocate nothing, and cost about
 * as much as a few dozen stores. Any thread may call them; none may be called in a signal handler.
 *
 *	spanprof_enter(request->traceparent);	the thread works on this span from here on ...
 *	... until
 *	spanprof_leave();			which brings back what it worked on before.
 *
 *	struct spanprof_context context;
 *	spanprof_capture(&context);		what this thread works on, to be carried to another,
 *	spanprof_resume(&context);		entered there, and left by spanprof_leave().
 *
 * Between enter and leave the thread's calls on connections do not change its span. Contexts nest, 8
 * deep. A coroutine scheduler resumes a context when it switches to a coroutine and leaves it when it
 * switches away. Trace contexts are W3C traceparent values (https://www.w3.org/TR/trace-context/).
 */
#ifndef SPANPROF_H
#define SPANPROF_H

#include <errno.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opaque; may be copied, and kept for as long as it is of use. */
struct spanprof_context {
	uint64_t opaque[16];
};

/* Private: versioned names of the functions below. */
int spanprof1_enter(const char *traceparent) __attribute__((weak));
int spanprof1_capture(struct spanprof_context *context) __attribute__((weak));
int spanprof1_resume(const struct spanprof_context *context) __attribute__((weak));
void spanprof1_leave(void) __attribute__((weak));

/*
 * The calling thread works on the span that traceparent names, NUL-terminated. NULL, an invalid value
 * and one whose sampled flag is not set mean work that belongs to no span.
 * 0, or ENOSPC: too deep, nothing was entered; ENOSYS: not preloaded or not active.
 */
static inline int spanprof_enter(const char *traceparent)
{
	return spanprof1_enter ? spanprof1_enter(traceparent) : ENOSYS;
}

/* What the calling thread is known to work on. 0, or ENOENT: nothing is known; ENOSYS. After an error
 * *context is one that means no span. */
static inline int spanprof_capture(struct spanprof_context *context)
{
	const struct spanprof_context none = {{0}};

	if (spanprof1_capture)
		return spanprof1_capture(context);
	*context = none;
	return ENOSYS;
}

/* As spanprof_enter, with a context from spanprof_capture of any thread of the process. */
static inline int spanprof_resume(const struct spanprof_context *context)
{
	return spanprof1_resume ? spanprof1_resume(context) : ENOSYS;
}

/* Ends what the latest successful enter or resume of this thread began. Without one: nothing. */
static inline void spanprof_leave(void)
{
	if (spanprof1_leave)
		spanprof1_leave();
}

#ifdef __cplusplus
}
#endif

#endif

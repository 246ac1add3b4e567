/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe.c - the slow side of OBSERVE: what the handler could not do itself. APP.
 */
#include <string.h>

#include "shim/attach.h"
#include "shim/log.h"
#include "shim/observe.h"
#include "shim/process.h"

_Atomic unsigned observe_attention;

static const char *const steps[] = {
	[ATTACH_OK] = "",
	[ATTACH_NAMESPACE] = "a pid namespace was unshared before the first sample",
	[ATTACH_CLONE] = "no process could be cloned",
	[ATTACH_FILES] = "a descriptor table could not be unshared",
	[ATTACH_REGION] = "no shared memory",
	[ATTACH_SLOT] = "no process slot",
	[ATTACH_AGENT_CLONE] = "the agent's process could not be cloned",
	[ATTACH_EXEC] = "the agent could not be executed",
	[ATTACH_NO_ANSWER] = "the agent does not answer",
	[ATTACH_SIGNAL] = "the program uses every signal",
	[ATTACH_CONFINED] = "the process confines itself (seccomp)",
};

void observe_say(void)
{
	enum attach_step step;
	int error;

	atomic_store_explicit(&observe_attention, 0, memory_order_relaxed);
	if (!attach_failure(&step, &error))
		return;
	log_line(step == ATTACH_CONFINED ? FEED_LOG_INFO : FEED_LOG_WARN,
		 "not profiling any more: %s%s%s%s%s", steps[step], error ? ": " : "",
		 error ? strerrordesc_np(error) : "", step == ATTACH_EXEC ? ": " : "",
		 step == ATTACH_EXEC ? attach_plan.agent_path : "");
}

void observe_slow(struct thread *t)
{
	if (self_state() == SELF_FRESH)
		process_forked();
	if (atomic_load_explicit(&observe_attention, memory_order_relaxed))
		observe_say();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.h - from an unattached process to one that feeds an agent: makes the region, joins the
 * service's agent or starts one, notices when it is gone and starts it again. Context: HANDLER (the
 * first tick), and BOOT and APP where attaching must come before something that would forbid it.
 * Nothing here blocks on the agent; an attach costs about 0.2 ms, once.
 */
#ifndef SPANPROF_SHIM_ATTACH_H
#define SPANPROF_SHIM_ATTACH_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/feed.h"

#define ATTACH_ENV_MAX 96	 /* variables handed to the agent */
#define ATTACH_ENV_BYTES 16384	 /* and their text */
#define ATTACH_PATH_MAX 1024

/* What the constructor prepares: hosts overwrite environ, chroot and change directory later. */
struct attach_plan {
	struct feed_config config;
	uint64_t config_hash; /* names the service's agent, with the uid */
	char agent_path[ATTACH_PATH_MAX];
	char *envp[ATTACH_ENV_MAX + 1];
	char env_text[ATTACH_ENV_BYTES];
};
extern struct attach_plan attach_plan;

/* Where an attach failed, for the one line that says so. */
enum attach_step {
	ATTACH_OK,
	ATTACH_NAMESPACE, /* an unshared pid namespace: a clone would break every later fork */
	ATTACH_CLONE,
	ATTACH_FILES,
	ATTACH_REGION,
	ATTACH_SLOT,
	ATTACH_AGENT_CLONE,
	ATTACH_EXEC,
	ATTACH_NO_ANSWER,
	ATTACH_CONFINED, /* a seccomp filter is coming */
	ATTACH_SIGNAL,	 /* the program uses every signal */
};

/* Attach if nobody has; returns the state afterwards (enum self_state). */
uint32_t attach_now(void);
/* A fork child's first act: claim a slot in the region it inherited, if it can; no system call but
 * getpid and the clock. Returns the state afterwards. */
uint32_t attach_inherit(void);
/* HANDLER, at every tick: attach at the first, look after the agent at later ones. */
uint32_t attach_check(uint32_t ticks);
/* Become inert for good, because of step and error (an errno value or 0). */
void attach_give_up(enum attach_step step, int error);
/* APP: why this process is inert, once; false if it is not or has been told. */
bool attach_failure(enum attach_step *step, int *error);
/* BOOT's end of a host that must wait for the last flush: at most timeout_ms. */
void attach_goodbye(uint32_t timeout_ms);

#endif

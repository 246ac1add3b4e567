/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit_file.h - the files in which a process names code that it makes at run time: found, opened
 * only if they are the process's own, and read as they grow. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_JIT_FILE_H
#define SPANPROF_AGENT_JIT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/jit_code.h"
#include "agent/jitdump.h"
#include "agent/maps.h"
#include "agent/symbol_perfmap.h"

#define JIT_PERFMAP_MAX (256u << 20)	 /* bytes of one that are looked at */
#define JIT_DUMP_MAX (UINT64_C(8) << 30) /* holds the code, which is passed over */
#define JIT_READ_MAX (1u << 20) /* bytes read at once: an agent that reads drains no rings */

/* Whose file it must be, and what it is called. */
struct jit_owner {
	pid_t pid;     /* to us, for /proc; <= 0: cannot be told */
	pid_t own_pid; /* to itself, in its innermost pid namespace */
	uid_t uid;     /* effective */
};

enum jit_kind { JIT_PERFMAP, JIT_DUMP, JIT_KINDS };

struct jit_file {
	enum jit_kind kind;
	bool open, dead; /* dead: what it holds is none of ours to read */
	int fd;
	uint64_t at;   /* read up to here */
	uint64_t size; /* when last looked at */
	struct perfmap perfmap;
	struct jitdump dump;
};

/* pid to us, and the number that the process gave itself, in case /proc says nothing. */
void jit_owner_read(struct jit_owner *owner, pid_t pid, pid_t claimed);

/* A descriptor or -errno: -ENOENT there is none, -EPERM it is another user's or no regular file. */
int jit_open_perfmap(const struct jit_owner *owner);
/* The dump that the process has mapped, which is how its writer shows it to perf; -ENOENT: none. */
int jit_open_dump(const struct jit_owner *owner, const struct maps *maps);

/* Takes fd over. */
void jit_file_init(struct jit_file *file, enum jit_kind kind, int fd);
void jit_file_release(struct jit_file *file);
/*
 * What was added since the last time, up to JIT_READ_MAX bytes. 1: there is more; 0; -ESTALE: it is
 * not the text that it was, so begin anew with an empty code; -errno.
 */
int jit_file_read(struct jit_file *file, struct jit_code *code);
/* Up to n bytes from offset on, or -errno. */
ssize_t jit_file_text(const struct jit_file *file, uint64_t offset, char *text, size_t n);

#endif

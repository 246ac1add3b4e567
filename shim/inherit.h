/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inherit.h - a request passed on to the programs that are started for it. What exec replaces keeps
 * nothing but arguments and environment, so it travels there: as a last variable, or behind a shell's
 * command as a comment. Our constructor in the new program takes it out again before that can see it.
 * Context: BOOT for the taking; APP for the rest, in a vfork child as well: nothing is written but what
 * the caller gave.
 */
#ifndef SPANPROF_SHIM_INHERIT_H
#define SPANPROF_SHIM_INHERIT_H

#include <stdbool.h>
#include <stddef.h>

#include "shim/traceparent.h"

#define INHERIT_VARIABLE "SPANPROF_CONTEXT"
#define INHERIT_VARIABLES_MAX 2048    /* in a longer environment nothing is passed */
#define INHERIT_COMMAND_MAX (1 << 16) /* behind a longer command neither: the kernel bounds one argument */

/* BOOT. Whether a parent passed a context; it is gone from the environment and the arguments then. argv:
 * as the constructor got it, or NULL. */
bool inherit_take(char **argv, struct trace_context *out);

/* Bytes that inherit_environment() needs for envp and what the calling thread works on; 0: there is
 * nothing to pass, or nobody in the new program to take it out. */
size_t inherit_environment_size(char *const envp[]);
char **inherit_environment(void *room, char *const envp[]);

/* The same for a command that a shell gets with the environment envp. */
size_t inherit_command_size(const char *command, char *const envp[]);
char *inherit_command(void *room, const char *command);

#endif

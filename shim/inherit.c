/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inherit.c - writes a request's context for a new program, and finds it there. BOOT and APP; no
 * allocation, no lock, no static memory written after BOOT: a vfork child runs this on its parent's.
 * Ids alone are passed, in hexadecimal: what a client sent never gets into a command.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/attribute.h"
#include "shim/inherit.h"
#include "shim/thread.h"

#define LIBRARY "libspanprof.so"
#define NAME INHERIT_VARIABLE "="
#define TEXT_SIZE (sizeof(NAME) + TRACEPARENT_SIZE) /* with its NUL */
#define COMMENT "\n#"
#define COMMENT_SIZE (sizeof(COMMENT) - 1 + TEXT_SIZE)

extern char **environ;

/* Not by LD_PRELOAD, so by /etc/ld.so.preload: every program gets the library. Written in BOOT. */
static bool everywhere;

static const char *value_of(char *const envp[], const char *name, size_t n)
{
	for (; *envp; envp++)
		if (strncmp(*envp, name, n) == 0)
			return *envp + n;
	return NULL;
}

static bool is_ours(char *const envp[])
{
	static const char preload[] = "LD_PRELOAD=";
	const char *value = everywhere ? NULL : value_of(envp, preload, sizeof(preload) - 1);

	return everywhere || (value && strstr(value, LIBRARY));
}

/* A handler that interrupted a wrapper of ours may find the record half written. */
static const struct feed_context *context(void)
{
	const struct feed_context *c =
		thread_self.observing ? NULL : attribute_for_child(&thread_self);

	return c && c->flags & FEED_CONTEXT_IDS ? c : NULL;
}

static char *put_hex(char *to, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*to++ = "0123456789abcdef"[bytes[i] >> 4];
		*to++ = "0123456789abcdef"[bytes[i] & 15];
	}
	return to;
}

static void put_text(char *to, const struct feed_context *c)
{
	to = mempcpy(to, NAME "00-", sizeof(NAME "00-") - 1);
	to = put_hex(to, c->trace_id, sizeof(c->trace_id));
	*to++ = '-';
	to = put_hex(to, c->span_id, sizeof(c->span_id));
	memcpy(to, "-01", sizeof("-01"));
}

size_t inherit_environment_size(char *const envp[])
{
	size_t n = 0;

	if (!envp || !context() || !is_ours(envp))
		return 0;
	while (envp[n])
		if (n++ >= INHERIT_VARIABLES_MAX)
			return 0;
	return (n + 2) * sizeof(char *) + TEXT_SIZE;
}

/* The variable comes last, so that taking it out moves no other. */
char **inherit_environment(void *room, char *const envp[])
{
	char **copy = room;
	const struct feed_context *c = context();
	size_t n = 0;

	for (; *envp; envp++)
		if (strncmp(*envp, NAME, sizeof(NAME) - 1) != 0)
			copy[n++] = *envp;
	copy[n] = copy[n + 1] = NULL;
	if (c) {
		copy[n] = (char *)(copy + n + 2);
		put_text(copy[n], c);
	}
	return copy;
}

size_t inherit_command_size(const char *command, char *const envp[])
{
	size_t n = command ? strlen(command) : 0;

	if (!command || !envp || n > INHERIT_COMMAND_MAX || !context() || !is_ours(envp))
		return 0;
	return n + COMMENT_SIZE;
}

char *inherit_command(void *room, const char *command)
{
	const struct feed_context *c = context();
	char *end = stpcpy(room, command);

	if (c)
		put_text(stpcpy(end, COMMENT), c);
	return room;
}

static bool parse(const char *text, struct trace_context *out)
{
	return traceparent_parse(text, strlen(text), out);
}

static bool take_variable(struct trace_context *out)
{
	char **to = environ;
	bool found = false;

	for (char **from = environ; from && *from; from++) {
		if (strncmp(*from, NAME, sizeof(NAME) - 1) == 0)
			found = parse(*from + sizeof(NAME) - 1, out);
		else
			*to++ = *from;
	}
	if (to && *to)
		*to = NULL;
	return found;
}

/* sh -c COMMAND, as system() and popen() call it: the comment is its last line. */
static bool take_comment(char **argv, struct trace_context *out)
{
	char *command, *last;
	bool found;

	if (!argv || !argv[0] || !argv[1] || strcmp(argv[1], "-c") != 0 || !argv[2])
		return false;
	command = strcmp(argv[2], "--") == 0 ? argv[3] : argv[2];
	last = command ? strrchr(command, '\n') : NULL;
	if (!last || strncmp(last, COMMENT NAME, sizeof(COMMENT NAME) - 1) != 0)
		return false;
	found = parse(last + sizeof(COMMENT NAME) - 1, out);
	/* All of it, or it would show behind the command's end in the list of processes. */
	memset(last, 0, strlen(last));
	return found;
}

bool inherit_take(char **argv, struct trace_context *out)
{
	const char *preload = getenv("LD_PRELOAD");
	bool by_variable;

	everywhere = !preload || !strstr(preload, LIBRARY);
	by_variable = take_variable(out);
	return take_comment(argv, out) || by_variable;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses the scheme by its prefix and runs libiberty's demangler under bounds.
 *
 * AGENT: called by symbol.c once for each frame that is not in its cache. The sole user of
 * libiberty. Its own limit on recursion stays on; its output, which back references can make
 * exponential, is cut off by leaving it through longjmp: the C++ demangler allocates nothing.
 */
#include "agent/demangle.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <libiberty/demangle.h>

#define DEMANGLE_CASTS_MAX 24 /* "cv": each is parsed twice, so nested ones cost 2^n */
#define DEMANGLE_D_MAX 1024   /* D's demangler cannot be left half-way */
#define DEMANGLE_OPTIONS (DMGL_PARAMS | DMGL_ANSI)

static struct output {
	jmp_buf full;
	size_t len;
	char text[DEMANGLE_OUTPUT_MAX];
} output;

static void take(const char *text, size_t n, void *arg)
{
	struct output *o = arg;

	if (n >= sizeof(o->text) - o->len)
		longjmp(o->full, 1);
	memcpy(o->text + o->len, text, n);
	o->len += n;
}

static bool is_rust(const char *linked, size_t len)
{
	const char *hash = strstr(linked, "17h");

	return !strncmp(linked, "_R", 2) || (hash && hash + 19 < linked + len);
}

static bool starts(const char *linked, const char *prefix)
{
	return !strncmp(linked, prefix, strlen(prefix));
}

/* How often a part occurs: a cheap measure of how far a parser would have to go back. */
static size_t occurrences(const char *text, const char *part)
{
	size_t n = 0;

	for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
		n++;
	return n;
}

static bool run_cxx_or_rust(const char *linked, size_t len)
{
	output.len = 0;
	if (setjmp(output.full))
		return false;
	if (is_rust(linked, len) && rust_demangle_callback(linked, DEMANGLE_OPTIONS, take, &output))
		return true;
	output.len = 0;
	return !starts(linked, "_R") && occurrences(linked, "cv") <= DEMANGLE_CASTS_MAX &&
	       cplus_demangle_v3_callback(linked, DEMANGLE_OPTIONS, take, &output);
}

static bool run_d(const char *linked, size_t len)
{
	char *text = len > DEMANGLE_D_MAX ? NULL : dlang_demangle(linked, DEMANGLE_OPTIONS);
	bool fits = text && strlen(text) < sizeof(output.text);

	output.len = 0;
	if (fits) {
		output.len = strlen(text);
		memcpy(output.text, text, output.len);
	}
	free(text);
	return fits;
}

const char *demangle(const char *linked, bool shorten)
{
	size_t len = strnlen(linked, DEMANGLE_INPUT_MAX + 1);
	bool done = false;

	if (len > DEMANGLE_INPUT_MAX)
		return NULL;
	if (starts(linked, "_Z") || starts(linked, "_R") || starts(linked, "_GLOBAL_"))
		done = run_cxx_or_rust(linked, len);
	else if (starts(linked, "_D"))
		done = run_d(linked, len);
	if (!done || !output.len)
		return NULL;
	output.text[output.len] = '\0';
	if (shorten)
		demangle_shorten(output.text);
	return output.text;
}

/* What GNAT's encoding does not know comes back in angle brackets; what is a plain name, as it was. */
const char *demangle_ada(const char *linked)
{
	size_t len = strnlen(linked, DEMANGLE_INPUT_MAX + 1), n = strcspn(linked, ".");
	char *name = len > DEMANGLE_INPUT_MAX ? NULL : strndup(linked, n), *text = NULL;
	bool done;

	if (name)
		text = ada_demangle(name, DEMANGLE_OPTIONS);
	/* What the optimizer made of it is told as for C++. */
	done = text && text[0] != '<' && strcmp(text, name) != 0 &&
	       strlen(text) + (len - n) + sizeof(" [clone ]") < sizeof(output.text);
	if (done && len > n)
		sprintf(output.text, "%s [clone %s]", text, linked + n);
	else if (done)
		strcpy(output.text, text);
	free(text);
	free(name);
	return done ? output.text : NULL;
}

/* Whether the '<' at name[at] opens arguments: not an operator's, nor Rust's <T as Trait>. */
static bool opens_arguments(const char *name, size_t at)
{
	static const char operator[] = "operator";
	size_t n = sizeof(operator) - 1, begin = at;

	while (begin && (name[begin - 1] == '<' || name[begin - 1] == ' '))
		begin--;
	if (begin >= n && !strncmp(name + begin - n, operator, n) &&
	    (begin == n ||
	     (!isalnum((unsigned char)name[begin - n - 1]) && name[begin - n - 1] != '_')))
		return false;
	return at && (isalnum((unsigned char)name[at - 1]) || strchr("_:)]>", name[at - 1]));
}

/* Behind the arguments that open at name[at], or 0 when nothing closes them. */
static size_t arguments_end(const char *name, size_t at)
{
	size_t angles = 0, parens = 0;

	for (; name[at]; at++) {
		if (name[at] == '(' || name[at] == '[')
			parens++;
		else if ((name[at] == ')' || name[at] == ']') && parens)
			parens--;
		else if (name[at] == '<' && !parens)
			angles++;
		else if (name[at] == '>' && !parens && name[at - 1] != '-' && --angles == 0)
			return at + 1;
	}
	return 0;
}

void demangle_shorten(char *name)
{
	size_t to = 0, end;

	for (size_t at = 0; name[at];) {
		end = name[at] == '<' && opens_arguments(name, at) ? arguments_end(name, at) : 0;
		/* "<int>" is as short as what would replace it. */
		if (end > at + 5) {
			memcpy(name + to, "<...>", 5);
			to += 5;
			at = end;
		} else {
			name[to++] = name[at++];
		}
	}
	name[to] = '\0';
}

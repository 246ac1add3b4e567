/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which CGI variables say what of a request. Called by fastcgi.c and uwsgi.c, which cut them out of
 * their framing. Context: APP. Variables that do not matter cost their name's comparison.
 */
#include "shim/cgi.h"

#include <string.h>

enum variable {
	NO_VARIABLE = PROPAGATOR_HEADERS_MAX, /* below: the header with that index */
	REQUEST_METHOD,
	REQUEST_URI,
	SCRIPT_NAME,
};

void cgi_name(struct cgi *cgi, const char *s, size_t n)
{
	for (size_t i = 0; i < n && cgi->position + i < sizeof(cgi->text); i++)
		cgi->text[cgi->position + i] = s[i];
	cgi->position += (uint32_t)n;
}

static bool is_header(const char *s, size_t n, const char *header)
{
	size_t i = 0;

	for (; i < n && header[i]; i++) {
		char c = header[i];

		if (s[i] != (c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c))
			return false;
	}
	return i == n && !header[i];
}

static bool is(const struct cgi *cgi, const char *name)
{
	return cgi->position == strlen(name) && !memcmp(cgi->text, name, strlen(name));
}

static uint8_t variable_of(const struct cgi *cgi)
{
	if (cgi->position > 5 && cgi->position <= 5 + PROPAGATOR_NAME_MAX &&
	    !memcmp(cgi->text, "HTTP_", 5)) {
		for (unsigned int todo = propagator_enabled; todo; todo &= todo - 1) {
			unsigned int i = (unsigned int)__builtin_ctz(todo);

			if (is_header(cgi->text + 5, cgi->position - 5, propagator_names[i]))
				return (uint8_t)i;
		}
	}
	if (is(cgi, "REQUEST_METHOD"))
		return REQUEST_METHOD;
	if (is(cgi, "REQUEST_URI"))
		return REQUEST_URI;
	return is(cgi, "SCRIPT_NAME") && !cgi->uri ? SCRIPT_NAME : NO_VARIABLE;
}

void cgi_name_end(struct cgi *cgi, struct request_head *head)
{
	cgi->variable = variable_of(cgi);
	cgi->position = 0;
	cgi->path_ended = false;
	if (cgi->variable == REQUEST_METHOD)
		memset(head->method, 0, sizeof(head->method));
	else if (cgi->variable == REQUEST_URI || cgi->variable == SCRIPT_NAME)
		memset(head->target, 0, sizeof(head->target));
	cgi->uri |= cgi->variable == REQUEST_URI;
}

static void path(struct cgi *cgi, struct request_head *head, const char *s, size_t n)
{
	for (size_t i = 0; i < n && !cgi->path_ended; i++) {
		if (s[i] == '?' || s[i] == '#' || !s[i])
			cgi->path_ended = true;
		else if (cgi->position + i < REQUEST_TARGET_MAX)
			head->target[cgi->position + i] = s[i];
		else
			break;
	}
}

void cgi_value(struct cgi *cgi, struct request_head *head, const char *s, size_t n)
{
	char *to = cgi->text;
	size_t held = sizeof(cgi->text);

	if (cgi->variable == REQUEST_URI || cgi->variable == SCRIPT_NAME) {
		path(cgi, head, s, n);
		held = 0;
	} else if (cgi->variable == REQUEST_METHOD) {
		to = head->method;
		held = REQUEST_METHOD_MAX;
	} else if (cgi->variable == NO_VARIABLE) {
		held = 0;
	}
	for (size_t i = 0; i < n && cgi->position + i < held; i++)
		to[cgi->position + i] = s[i];
	cgi->position += (uint32_t)n;
}

void cgi_value_end(struct cgi *cgi)
{
	bool cut = cgi->position > sizeof(cgi->text);

	if (cgi->variable < PROPAGATOR_HEADERS_MAX)
		propagator_take(&cgi->propagator, cgi->variable, cgi->text,
				cut ? sizeof(cgi->text) : cgi->position, cut);
	cgi->position = 0;
}

void cgi_end(struct cgi *cgi, struct request_head *head)
{
	head->has_context = propagator_end(&cgi->propagator, &head->context);
}

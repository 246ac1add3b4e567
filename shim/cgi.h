/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CGI variables of a request that matter (RFC 3875, section 4.1), as FastCGI and uwsgi carry
 * them: name, then value, in pieces of any size. Called by fastcgi.c and uwsgi.c. Context: APP; no
 * allocation, no lock, no errno. Zeroed memory is the state before a request's first variable.
 */
#ifndef SPANPROF_SHIM_CGI_H
#define SPANPROF_SHIM_CGI_H

#include "shim/propagator.h"
#include "shim/request.h"

struct cgi {
	struct propagator propagator;
	char text[PROPAGATOR_VALUE_MAX]; /* of the name, then of the value if it matters */
	uint32_t position;		 /* in the name or value; may be past what is held */
	uint8_t variable;		 /* whose value is read; private to cgi.c */
	bool uri;			 /* REQUEST_URI was there: it is nearer to the request line */
	bool path_ended;		 /* a query has begun */
};

void cgi_name(struct cgi *cgi, const char *s, size_t n);
/* The name is complete; its value begins. */
void cgi_name_end(struct cgi *cgi, struct request_head *head);
void cgi_value(struct cgi *cgi, struct request_head *head, const char *s, size_t n);
void cgi_value_end(struct cgi *cgi);
/* All variables have been seen. */
void cgi_end(struct cgi *cgi, struct request_head *head);

#endif

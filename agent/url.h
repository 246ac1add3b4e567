/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address of a server as people configure it, taken apart: what may be shown, and the basic
 * auth that must not be. Context: AGENT.
 */
#ifndef SPANPROF_AGENT_URL_H
#define SPANPROF_AGENT_URL_H

#include <stdbool.h>

#define URL_MAX 2048
#define URL_USERINFO_MAX 1024

struct url {
	char base[URL_MAX]; /* scheme://host[:port][/prefix], no slash at the end */
	bool has_user;
	char user[URL_USERINFO_MAX]; /* decoded */
	char password[URL_USERINFO_MAX];
};

/*
 * 0 or -EINVAL: neither http nor https, no host, too long, or characters that no URL has. Without
 * a scheme http is meant. Query and fragment are left out.
 */
int url_parse(struct url *url, const char *text);

#endif

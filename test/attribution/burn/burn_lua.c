/* SPDX-License-Identifier: Apache-2.0 */
/* burn(n, us) for any Lua 5.x that the host has: package.loadlib(path, "burn_lua"). */
#include <stddef.h>

#include "burn.h"

struct lua_State;
double luaL_checknumber(struct lua_State *, int);
int burn_lua(struct lua_State *);

int burn_lua(struct lua_State *state)
{
	unsigned n = (unsigned)luaL_checknumber(state, 1);
	unsigned us = (unsigned)luaL_checknumber(state, 2);

	burn(n, us);
	return 0;
}

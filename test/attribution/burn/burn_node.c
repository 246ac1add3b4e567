/* SPDX-License-Identifier: Apache-2.0 */
/* require("burn.node")(n, us). Node-API's few functions are declared here: its headers need not be
 * there. */
#include <stddef.h>
#include <stdint.h>

#include "burn.h"

typedef struct env *napi_env;
typedef struct value *napi_value;
typedef struct info *napi_info;
typedef napi_value (*napi_callback)(napi_env, napi_info);
int napi_get_cb_info(napi_env, napi_info, size_t *, napi_value *, napi_value *, void **);
int napi_get_value_uint32(napi_env, napi_value, uint32_t *);
int napi_create_function(napi_env, const char *, size_t, napi_callback, void *, napi_value *);
napi_value napi_register_module_v1(napi_env, napi_value);

static napi_value call(napi_env env, napi_info info)
{
	napi_value args[2];
	size_t count = 2;
	uint32_t n = 0, us = 0;

	if (napi_get_cb_info(env, info, &count, args, NULL, NULL) == 0 && count == 2 &&
	    napi_get_value_uint32(env, args[0], &n) == 0 &&
	    napi_get_value_uint32(env, args[1], &us) == 0)
		burn(n, us);
	return NULL;
}

napi_value napi_register_module_v1(napi_env env, napi_value exports)
{
	napi_value function = NULL;

	napi_create_function(env, "burn", 4, call, NULL, &function);
	return function;
}

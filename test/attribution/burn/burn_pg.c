/* SPDX-License-Identifier: Apache-2.0 */
/* burn(n integer, us integer) of PostgreSQL. */
#include <postgres.h>
#include <fmgr.h>

#include "burn.h"

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(burn_pg);

Datum burn_pg(PG_FUNCTION_ARGS)
{
	burn((unsigned)PG_GETARG_INT32(0), (unsigned)PG_GETARG_INT32(1));
	PG_RETURN_INT32(1);
}

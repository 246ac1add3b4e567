/* SPDX-License-Identifier: Apache-2.0 */
/* burn_udf(n, us) of MariaDB; the part of its arguments that matters is declared here. */
#include "burn.h"

struct udf_args {
	unsigned count;
	int *type;
	char **values;
};

enum { INTEGER = 2 };

char burn_udf_init(void *init, struct udf_args *args, char *message);
long long burn_udf(void *init, struct udf_args *args, char *is_null, char *error);

/* 1: refused. */
char burn_udf_init(void *init, struct udf_args *args, char *message)
{
	return args->count != 2 || args->type[0] != INTEGER || args->type[1] != INTEGER;
}

long long burn_udf(void *init, struct udf_args *args, char *is_null, char *error)
{
	/* Both are null while the statement is prepared, if they are not constants. */
	if (args->values[0] && args->values[1])
		burn((unsigned)*(long long *)(void *)args->values[0],
		     (unsigned)*(long long *)(void *)args->values[1]);
	return 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Burn.burn(int n, int us) of Java. Neither pointer is used, so no header of the JDK's is needed.
 */
#include "burn.h"

void Java_Server_burn(void *env, void *class, int n, int us);

void Java_Server_burn(void *env, void *class, int n, int us)
{
	burn((unsigned)n, (unsigned)us);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTRIBUTION_BURN_H
#define ATTRIBUTION_BURN_H

#define BURN_FUNCTIONS 512

/* Burns us microseconds of this thread's CPU in the function burn_N, which stands in the stack. */
void burn(unsigned n, unsigned us);

#endif

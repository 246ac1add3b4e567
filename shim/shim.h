/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim.h - whether this process is profiled. Context: APP and BOOT.
 */
#ifndef SPANPROF_SHIM_SHIM_H
#define SPANPROF_SHIM_SHIM_H

#include <stdbool.h>

/*
 * True once set up and not inert. Sets up if the constructor has not run yet: constructors of the
 * program's libraries may start threads before ours is called.
 */
bool shim_active(void);
/* The environment variable that a launcher sets to the process that shall attach at once: its pid. */
#define SHIM_EAGER_PID "SPANPROF_EAGER_PID"

#endif

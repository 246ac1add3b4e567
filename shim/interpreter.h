/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interpreter.h - whether an object that threads wait at is the lock of CPython's interpreter. A thread
 * that gives that lock up amid its work waits there until another has taken it: no pool idles there.
 */
#ifndef SPANPROF_SHIM_INTERPRETER_H
#define SPANPROF_SHIM_INTERPRETER_H

#include <stdbool.h>

/* BOOT. */
void interpreter_find(void);
/* APP. */
bool interpreter_has(const void *object);

#endif

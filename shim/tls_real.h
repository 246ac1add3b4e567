/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls_real.h - the TLS libraries' real functions. A process may hold several copies of OpenSSL (the
 * system's, one bundled with a plug-in), and calling one with another's objects would end it: the real
 * function is the one that the caller's own object would have got without us, looked up for each place
 * that calls. Other runtimes that a process may bring along (wrap_python.c) are found the same way.
 * Context: APP.
 */
#ifndef SPANPROF_SHIM_TLS_REAL_H
#define SPANPROF_SHIM_TLS_REAL_H

/*
 * The definition of name after ours, as the code at address sees it; NULL: there is none. which is the
 * caller's constant for name, below TLS_REAL_NAMES. errno is kept. Where a library has jumped from one of
 * its functions to another through the symbol, address is our own wrapper's of the first: library, the
 * real function that the thread is in, stands for it then.
 */
void *tls_real(unsigned which, const char *name, void *address, void *library);
#define TLS_REAL_NAMES 32
#define TLS_REAL_PYTHON 29 /* wrap_python.c's, from here on */

/* An object is about to go: what was found may go with it. */
void tls_real_forget(void);

#endif

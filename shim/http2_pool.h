/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http2_pool.h - memory for HTTP/2 connections: blocks of one size, a bounded number of them,
 * mapped as they are needed and handed back to the kernel when a connection ends. Context: APP, any
 * thread.
 */
#ifndef SPANPROF_SHIM_HTTP2_POOL_H
#define SPANPROF_SHIM_HTTP2_POOL_H

#define HTTP2_CONNECTIONS_MAX 1024   /* open at once in a process */
#define HTTP2_BYTES_EACH (64 * 1024) /* the most that one can use; backed as it is touched */

/* A block of HTTP2_BYTES_EACH, aligned to a page, with anything in it; NULL: none is left. */
void *http2_pool_get(void);
void http2_pool_put(void *block);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hpack.c - sole user of nghttp2. The archive's members are linked into one object first, in which
 * every name that could end the host or meet its malloc (see the Makefile) is bound to escape():
 * that jumps back into hpack_feed(), which gives the decoder up. Nothing leaks: all that it holds
 * is in its own block. By its source no input can fail an assertion; this holds whatever the next
 * version does. Context: APP.
 */
#include "shim/hpack.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

#include "shim/heap.h"

struct hpack {
	nghttp2_hd_inflater *inflater;
	nghttp2_mem memory;
	struct heap *heap;
	int error;
};

/* Where this thread's call into nghttp2 is left from. Set whenever code of nghttp2 runs. */
static __thread void **way_out __attribute__((tls_model("initial-exec")));

/* Called by code that knows it by other names and with other arguments; it looks at none. */
static void __attribute__((noreturn)) escape(void)
{
	__builtin_longjmp(way_out, 1);
}

#define ESCAPE(name)                                                                               \
	void hpack_escape_##name(void);                                                            \
	void hpack_escape_##name(void)                                                             \
	{                                                                                          \
		escape();                                                                          \
	}
ESCAPE(__assert_fail)
ESCAPE(__stack_chk_fail)
ESCAPE(abort)
ESCAPE(malloc)
ESCAPE(calloc)
ESCAPE(realloc)
ESCAPE(free)

/* Where it is no word of the thread's (arm64), the canary would be had from ld.so. */
extern const uintptr_t hpack_escape___stack_chk_guard;
const uintptr_t hpack_escape___stack_chk_guard = (uintptr_t)0x5ca1ab1e00baf31cULL;

static void *allocate(size_t n, void *heap)
{
	return heap_alloc(heap, n);
}

static void release(void *memory, void *heap)
{
	heap_free(heap, memory);
}

static void *allocate_zeroed(size_t count, size_t n, void *heap)
{
	void *memory = n && count > SIZE_MAX / n ? NULL : heap_alloc(heap, count * n);

	return memory ? memset(memory, 0, count * n) : NULL;
}

/* Inflating never grows anything in place. */
static void *reallocate(void *memory, size_t n, void *heap)
{
	return NULL;
}

/*
 * An encoder says in the block when it changes its table (section 4.2), so the bound can be ours
 * from the start: what the peer's SETTINGS allow need not be known, and they could be applied too
 * late.
 */
static int open_inflater(struct hpack *h)
{
	int ret = nghttp2_hd_inflate_new2(&h->inflater, &h->memory);

	return ret ? ret : nghttp2_hd_inflate_change_table_size(h->inflater, HPACK_TABLE_MAX);
}

static int inflate(struct hpack *h, const uint8_t *in, size_t n, bool last, hpack_header_fn *header,
		   void *arg)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t took = nghttp2_hd_inflate_hd2(h->inflater, &nv, &flags, in, n, last);

		if (took < 0)
			return (int)took;
		in += took;
		n -= (size_t)took;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			header(arg, (const char *)nv.name, nv.namelen, (const char *)nv.value,
			       nv.valuelen);
		else if (flags & NGHTTP2_HD_INFLATE_FINAL)
			return nghttp2_hd_inflate_end_headers(h->inflater);
		else if (n == 0)
			return 0;
	}
}

/* Not inlined: what comes back by the jump needs a frame whose values were all in memory. */
static int __attribute__((noinline)) guarded_open(struct hpack *h)
{
	void *here[5];

	if (__builtin_setjmp(here))
		return -EFAULT;
	way_out = here;
	return open_inflater(h);
}

static int __attribute__((noinline)) guarded_inflate(struct hpack *h, const void *bytes, size_t n,
						     bool last, hpack_header_fn *header, void *arg)
{
	void *here[5];

	if (__builtin_setjmp(here))
		return -EFAULT;
	way_out = here;
	return inflate(h, bytes, n, last, header, arg);
}

struct hpack *hpack_init(void *memory, uint32_t size)
{
	uint32_t own = (sizeof(struct hpack) + HEAP_ALIGN - 1) & ~(HEAP_ALIGN - 1u);
	struct hpack *h = memory;

	if (size < own + 64)
		return NULL;
	memset(h, 0, sizeof(*h));
	h->heap = heap_init((char *)memory + own, size - own);
	h->memory = (nghttp2_mem){h->heap, allocate, release, allocate_zeroed, reallocate};
	return guarded_open(h) ? NULL : h;
}

int hpack_feed(struct hpack *h, const void *bytes, size_t n, bool last, hpack_header_fn *header,
	       void *arg)
{
	int ret;

	if (h->error)
		return h->error;
	ret = guarded_inflate(h, bytes, n, last, header, arg);
	if (ret == NGHTTP2_ERR_NOMEM)
		h->error = -ENOMEM;
	else if (ret)
		h->error = ret == -EFAULT ? ret : -EPROTO;
	return h->error;
}

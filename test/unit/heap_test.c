/* SPDX-License-Identifier: Apache-2.0 */
/* shim/heap.c: blocks do not overlap, room comes back, and nothing lies outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/heap.h"

#define SIZE 8192
#define PIECES 64

static struct heap *fresh(void)
{
	void *memory = aligned_alloc(HEAP_ALIGN, SIZE);

	assert_non_null(memory);
	memset(memory, 0xee, SIZE);
	return heap_init(memory, SIZE);
}

static void all_of_it_can_be_had_again_after_all_was_freed(void **state)
{
	struct heap *heap = fresh();
	void *piece[PIECES], *big;

	for (int order = 0; order < 3; order++) {
		big = heap_alloc(heap, SIZE - 64);
		assert_non_null(big);
		assert_null(heap_alloc(heap, 64));
		heap_free(heap, big);
		for (int i = 0; i < PIECES; i++)
			assert_non_null(piece[i] = heap_alloc(heap, (size_t)(i * 3 % 61)));
		/* forwards, backwards, every third */
		for (int i = 0; i < PIECES; i++)
			heap_free(heap, piece[order == 0   ? i
					      : order == 1 ? PIECES - 1 - i
							   : i * 27 % PIECES]);
	}
	assert_non_null(heap_alloc(heap, SIZE - 64));
	free(heap);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct heap *heap = fresh();

	assert_null(heap_alloc(heap, SIZE));
	assert_null(heap_alloc(heap, SIZE_MAX));
	assert_null(heap_alloc(heap, UINT32_MAX));
	heap_free(heap, NULL);
	assert_non_null(heap_alloc(heap, 0));
	free(heap);
}

/* Each piece is filled with its own number, over any history of calls. */
static void pieces_keep_what_is_written_to_them(void **state)
{
	struct heap *heap = fresh();
	unsigned char *piece[PIECES] = {0};
	size_t length[PIECES] = {0}, refused = 0;

	srand(1);
	for (int turn = 0; turn < 100000; turn++) {
		int i = rand() % PIECES;

		for (size_t at = 0; piece[i] && at < length[i]; at++)
			assert_int_equal(piece[i][at], i);
		heap_free(heap, piece[i]);
		length[i] = (size_t)rand() % (turn % 7 ? 64 : 900);
		piece[i] = rand() % 3 ? heap_alloc(heap, length[i]) : NULL;
		if (!piece[i])
			refused++;
		else
			memset(piece[i], i, length[i]);
		if (!piece[i])
			continue;
		assert_int_equal((uintptr_t)piece[i] % HEAP_ALIGN, 0);
		assert_true((char *)piece[i] + length[i] <= (char *)heap + SIZE);
	}
	assert_true(refused > 100);
	for (int i = 0; i < PIECES; i++)
		heap_free(heap, piece[i]);
	assert_non_null(heap_alloc(heap, SIZE - 64));
	free(heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_of_it_can_be_had_again_after_all_was_freed),
	    cmocka_unit_test(what_does_not_fit_is_refused),
	    cmocka_unit_test(pieces_keep_what_is_written_to_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

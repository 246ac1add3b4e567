/* SPDX-License-Identifier: Apache-2.0 */
/* shim/http2_pool.c: a block is one thread's at a time, and all of them come back. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shim/http2_pool.h"

#define THREADS 4
#define HELD 40
#define TURNS 200

/* What another thread wrote would be seen here, by TSan too. */
static void *work(void *arg)
{
	unsigned char *block[HELD];
	uintptr_t wrong = 0;

	for (int turn = 0; turn < TURNS; turn++) {
		for (int i = 0; i < HELD; i++) {
			block[i] = http2_pool_get();
			if (!block[i])
				return (void *)1;
			memset(block[i], (int)(uintptr_t)arg, 64);
			block[i][HTTP2_BYTES_EACH - 1] = (unsigned char)i;
		}
		for (int i = 0; i < HELD; i++) {
			for (int at = 0; at < 64; at++)
				wrong += block[i][at] != (unsigned char)(uintptr_t)arg;
			wrong += block[i][HTTP2_BYTES_EACH - 1] != i;
			http2_pool_put(block[i]);
		}
	}
	return (void *)wrong;
}

static void threads_never_share_a_block(void **state)
{
	pthread_t thread[THREADS];
	void *wrong;

	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &wrong);
		assert_null(wrong);
	}
}

static void all_blocks_come_back(void **state)
{
	static void *block[HTTP2_CONNECTIONS_MAX];

	for (int i = 0; i < HTTP2_CONNECTIONS_MAX; i++) {
		block[i] = http2_pool_get();
		assert_non_null(block[i]);
		assert_int_equal((uintptr_t)block[i] % 4096, 0);
	}
	assert_null(http2_pool_get());
	for (int i = 0; i < HTTP2_CONNECTIONS_MAX; i++)
		http2_pool_put(block[i]);
	http2_pool_put(NULL);
	http2_pool_put(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(threads_never_share_a_block),
	    cmocka_unit_test(all_blocks_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

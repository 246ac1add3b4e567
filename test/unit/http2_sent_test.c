/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim/http2_sent.c and http2_stream.c: which streams a server's frames are for and which they end.
 * What is expected reads "stream" for each stream that bytes were seen for, once in a row ("?": one
 * that is not known), "!" after it if it ended.
 */
#include "test/unit/http2_wire.h"

static struct wire w;
static char seen[4096];

static void note(void *arg, struct http2_stream *stream, bool ended)
{
	char word[16] = " ? ";
	size_t n = strlen(seen), length;

	if (stream)
		snprintf(word, sizeof(word), " %u ", stream->id);
	length = strlen(word);
	if (n < length || strcmp(seen + n - length, word))
		strcat(seen, word + 1);
	if (ended)
		strcpy(seen + strlen(seen) - 1, "! ");
}

/* A connection with the first streams live, as many as ids has bits. */
static struct http2 *with_streams(uint32_t ids)
{
	struct http2 *h = http2_open(24);

	assert_non_null(h);
	for (uint32_t i = 0; i < 32; i++) {
		if (ids >> i & 1)
			assert_int_equal(http2_begin(h, 2 * i + 1)->id, 2 * i + 1);
	}
	strcpy(seen, " ");
	return h;
}

static void sees_in(uint32_t ids, int ret, const char *wanted)
{
	for (size_t cut = 0; cut <= w.n; cut += w.n > 2048 ? 7 : 1) {
		struct http2 *h = with_streams(ids);
		uint8_t *two = malloc(w.n - cut + 1), *one = malloc(cut + 1);
		int first = http2_sent(h, memcpy(one, w.bytes, cut), cut, note, NULL);

		assert_true(first == 0 || first == ret);
		assert_int_equal(
		    http2_sent(h, memcpy(two, w.bytes + cut, w.n - cut), w.n - cut, note, NULL),
		    w.n ? ret : 0);
		assert_string_equal(seen + 1, wanted);
		http2_close(h);
		free(one);
		free(two);
	}
}

/* The 101 before the frames. */
static void skip_head(struct wire *wire)
{
	uint8_t *end = memmem(wire->bytes, wire->n, "\r\n\r\n", 4);

	assert_non_null(end);
	wire->n -= (size_t)(end + 4 - wire->bytes);
	memmove(wire->bytes, end + 4, wire->n);
}

static void answers_of_real_servers_are_told_apart(void **state)
{
	captured(&w, "curl.answers");
	sees_in(1, 0, "1! ");
	captured(&w, "nghttp.answers");
	sees_in(3 << 6, 0, "13 15 13! 15! ");
	captured(&w, "h2load.answers");
	sees_in(0xfff, 0,
		"1 3 5 7 9 11 1! 3! 5! 7! 9! 11! 13 15 17 19 21 23 13! 15! 17! 19! 21! 23! ");
	captured(&w, "grpc.answers");
	sees_in(7, 0, "1! 3! 5! ");
	captured(&w, "upgrade.answers");
	skip_head(&w);
	sees_in(1, 0, "1! ");
}

static void interleaved_answers_are_told_apart(void **state)
{
	start(&w, "");
	frame(&w, HEADERS, END_HEADERS, 3, "\x88", 1);
	frame(&w, DATA, 0, 3, "abc", 3);
	frame(&w, HEADERS, END_HEADERS, 1, "\x88", 1);
	frame(&w, SETTINGS, 1, 0, "", 0);
	frame(&w, DATA, END_STREAM, 3, "", 0);
	frame(&w, DATA, 0, 1, "abc", 3);
	frame(&w, DATA, 0, 7, "abc", 3);
	frame(&w, RST_STREAM, 0, 1, "\0\0\0\1", 4);
	frame(&w, DATA, END_STREAM, 1, "", 0);
	sees_in(3, 0, "3 1 3! 1 ? 1! ?! ");
}

static void trailers_end_a_stream_with_their_last_piece(void **state)
{
	start(&w, "");
	frame(&w, HEADERS, END_HEADERS, 1, "\x88", 1);
	frame(&w, HEADERS, END_STREAM, 1, "", 0);
	frame(&w, CONTINUATION, 0, 1, "", 0);
	frame(&w, CONTINUATION, END_HEADERS, 1, "", 0);
	frame(&w, HEADERS, END_HEADERS | END_STREAM, 3, "\x88", 1);
	sees_in(3, 0, "1! 3! ");
}

/* As nginx does when it has not read a request's body. */
static void a_reset_behind_an_answer_is_part_of_it(void **state)
{
	start(&w, "");
	frame(&w, HEADERS, END_HEADERS | END_STREAM, 3, "\x88", 1);
	frame(&w, RST_STREAM, 0, 3, "\0\0\0\0", 4);
	sees_in(3, 0, "3! ");
}

static void a_push_is_for_no_request(void **state)
{
	start(&w, "");
	frame(&w, PUSH_PROMISE, END_HEADERS, 1, "\0\0\0\2\x82", 5);
	frame(&w, HEADERS, END_HEADERS, 2, "\x88", 1);
	frame(&w, DATA, END_STREAM, 2, "pushed", 6);
	frame(&w, HEADERS, END_HEADERS | END_STREAM, 1, "\x88", 1);
	sees_in(1, 0, "?! 1! ");
}

static void an_answer_is_noted_and_its_end_forgets_the_stream(void **state)
{
	struct http2 *h = with_streams(3);
	size_t count;

	start(&w, "");
	frame(&w, HEADERS, END_HEADERS, 3, "\x88", 1);
	assert_int_equal(http2_sent(h, w.bytes, w.n, note, NULL), 0);
	assert_true(http2_find(h, 3)->answered);
	assert_false(http2_find(h, 1)->answered);
	w.n = 0;
	frame(&w, DATA, END_STREAM, 3, "12", 2);
	assert_int_equal(http2_sent(h, w.bytes, w.n - 1, note, NULL), 0);
	assert_non_null(http2_find(h, 3));
	assert_int_equal(http2_sent(h, w.bytes + w.n - 1, 1, note, NULL), 0);
	assert_null(http2_find(h, 3));
	assert_int_equal(http2_streams(h, &count)[0].id, 1);
	assert_int_equal(count, 1);
	http2_close(h);
}

static void a_payload_may_be_sent_from_a_file(void **state)
{
	struct http2 *h = with_streams(1);

	start(&w, "");
	put(&w, "\0\x10\0\0\1\0\0\0\1", 9); /* DATA, END_STREAM, 4096 bytes */
	assert_int_equal(http2_sent(h, w.bytes, w.n, note, NULL), 0);
	assert_int_equal(http2_sent(h, NULL, 4000, note, NULL), 0);
	assert_string_equal(seen + 1, "1 ");
	assert_int_equal(http2_sent(h, NULL, 96, note, NULL), 0);
	assert_string_equal(seen + 1, "1! ");
	assert_int_equal(http2_sent(h, NULL, 1, note, NULL), -EPROTO);
	assert_int_equal(http2_sent(h, w.bytes, w.n, note, NULL), -EPROTO);
	assert_string_equal(seen + 1, "1! ");
	http2_close(h);
}

static void a_server_that_does_not_begin_with_settings_is_none(void **state)
{
	w.n = 0;
	frame(&w, HEADERS, END_HEADERS, 1, "\x88", 1);
	sees_in(1, -EPROTO, "");
	w.n = 0;
	put(&w, "HTTP/1.1 200 OK\r\n\r\n", 19);
	sees_in(1, -EPROTO, "");
}

static void a_server_says_which_streams_it_answers(void **state)
{
	start(&w, "");
	frame(&w, GOAWAY, 0, 0, "\x80\0\1\5\0\0\0\0why", 11);
	for (size_t cut = 0; cut <= w.n; cut++) {
		struct http2 *h = with_streams(1);

		assert_int_equal(http2_last_answered(h), 0x7fffffff);
		assert_int_equal(http2_sent(h, w.bytes, cut, note, NULL), 0);
		assert_int_equal(http2_sent(h, w.bytes + cut, w.n - cut, note, NULL), 0);
		assert_int_equal(http2_last_answered(h), 0x105);
		http2_close(h);
	}
}

/* The other direction, when who asks wants to know of every frame. */
static void frames_of_requests_are_told_apart_too(void **state)
{
	struct http2 *h = http2_open(0);
	ssize_t used;

	start(&w, PREFACE);
	get(&w, 1, END_HEADERS, "/", '-');
	frame(&w, DATA, 0, 1, "abc", 3);
	get(&w, 3, END_HEADERS, "/", '-');
	frame(&w, SETTINGS, 1, 0, "", 0);
	frame(&w, DATA, END_STREAM, 3, "", 0);
	frame(&w, HEADERS, END_HEADERS | END_STREAM, 1, "", 0);
	frame(&w, RST_STREAM, 0, 3, "\0\0\0\1", 4);
	frame(&w, DATA, 0, 3, "late", 4);
	strcpy(seen, " ");
	for (size_t at = 0; at < w.n; at += (size_t)used) {
		used = http2_feed_seen(h, w.bytes + at, 1, note, NULL);
		assert_true(used >= 0);
		if (used)
			http2_begin(h, http2_stream(h));
		used = 1;
	}
	assert_string_equal(seen + 1, "1 3 1 3! ? ");
	assert_int_equal(http2_live(h), 1);
	http2_close(h);
}

static void the_oldest_of_too_many_is_forgotten_but_counted(void **state)
{
	struct http2 *h = http2_open(24);
	size_t count;

	for (uint32_t i = 0; i < HTTP2_STREAMS_MAX + 2; i++)
		http2_begin(h, 2 * i + 1)->request.request = i;
	assert_null(http2_find(h, 3));
	assert_int_equal(http2_find(h, 5)->request.request, 2);
	assert_int_equal(http2_streams(h, &count)[0].id, 5);
	assert_int_equal(count, HTTP2_STREAMS_MAX);
	assert_int_equal(http2_live(h), HTTP2_STREAMS_MAX + 2);
	for (uint32_t i = 0; i < HTTP2_STREAMS_MAX + 2; i++) {
		assert_int_equal(http2_live(h), HTTP2_STREAMS_MAX + 2 - i);
		http2_end(h, 2 * i + 1);
	}
	http2_end(h, 1);
	assert_int_equal(http2_live(h), 0);
	http2_close(h);
}

static void a_stream_that_begins_twice_is_one(void **state)
{
	struct http2 *h = http2_open(24);

	http2_begin(h, 5)->answered = true;
	http2_begin(h, 1);
	assert_false(http2_begin(h, 5)->answered);
	assert_int_equal(http2_live(h), 2);
	http2_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_of_real_servers_are_told_apart),
	    cmocka_unit_test(interleaved_answers_are_told_apart),
	    cmocka_unit_test(trailers_end_a_stream_with_their_last_piece),
	    cmocka_unit_test(a_reset_behind_an_answer_is_part_of_it),
	    cmocka_unit_test(a_push_is_for_no_request),
	    cmocka_unit_test(an_answer_is_noted_and_its_end_forgets_the_stream),
	    cmocka_unit_test(a_payload_may_be_sent_from_a_file),
	    cmocka_unit_test(a_server_that_does_not_begin_with_settings_is_none),
	    cmocka_unit_test(a_server_says_which_streams_it_answers),
	    cmocka_unit_test(frames_of_requests_are_told_apart_too),
	    cmocka_unit_test(the_oldest_of_too_many_is_forgotten_but_counted),
	    cmocka_unit_test(a_stream_that_begins_twice_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * head_bench - ns that a scanner takes for one typical request: fed whole, as read() gives it, median over
 * ROUNDS of a thousand. Prints a name and a number on each line.
 *
 * usage: head_bench ROUNDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/protocol.h"
#include "shim/sqlcomment.h"

#define EACH 1000
#define TRACEPARENT "00-11111111111111111111111111111111-2222222222222222-01"

static const char http1[] =
    "GET /shop/cart?item=42 HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux "
    "x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: text/html,application/xhtml+xml\r\n"
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\ntraceparent: " TRACEPARENT
    "\r\nCache-Control: no-cache\r\n\r\n";
static const char response[] =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 04:40:12 GMT\r\n"
    "Content-Type: text/html\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n";
static const char statement[] =
    "SELECT a.id, a.name, b.total FROM account a JOIN balance b ON b.account = a.id WHERE a.name = 'it''s' AND "
    "b.total > 100 ORDER BY a.id LIMIT 20 /*action='%2Fcart',traceparent='" TRACEPARENT "'*/";

static struct protocol_scanner scanner;
static struct sqlcomment comment;

static void request_and_response(void)
{
	if (protocol_received(&scanner, http1, sizeof(http1) - 1) <= 0 ||
	    protocol_sent(&scanner, response, sizeof(response) - 1) != 1)
		exit(1);
}

static void request(void)
{
	if (http1_feed(&scanner.http1, http1, sizeof(http1) - 1) <= 0)
		exit(1);
}

static void sql(void)
{
	struct request_head head;
	struct trace_context context;

	sqlcomment_begin(&comment, SQL_POSTGRES, &head);
	sqlcomment_feed(&comment, &head, statement, sizeof(statement) - 1);
	if (!sqlcomment_end(&comment, &context))
		exit(1);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(const char *name, size_t bytes, void (*once)(void), int rounds)
{
	double *each = calloc((size_t)rounds, sizeof(*each));

	protocol_init(&scanner);
	for (int r = 0; r < rounds; r++) {
		double start = now_ns();

		for (int i = 0; i < EACH; i++)
			once();
		each[r] = (now_ns() - start) / EACH;
	}
	qsort(each, (size_t)rounds, sizeof(*each), by_value);
	printf("%s, %zu bytes: %.0f ns\n", name, bytes, each[rounds / 2]);
	free(each);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100;

	if (rounds < 1)
		return 2;
	measure("HTTP/1 request head", sizeof(http1) - 1, request, rounds);
	measure("the same and its response head", sizeof(http1) + sizeof(response) - 2, request_and_response,
		rounds);
	propagator_enable(0xff);
	measure("HTTP/1 request head, all propagators", sizeof(http1) - 1, request, rounds);
	measure("SQL statement with a comment", sizeof(statement) - 1, sql, rounds);
	return 0;
}

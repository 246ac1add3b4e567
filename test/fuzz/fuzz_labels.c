/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as the labels of the three variables, cut at the first two NULs: what is kept is what
 * the server takes, comes out again the same, and no more than there is room for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct labels *labels)
{
	if (labels->count > LABELS_MAX)
		abort();
	for (unsigned i = 0; i < labels->count; i++) {
		const char *key = labels->items[i].key, *value = labels->items[i].value;

		if (strnlen(key, LABELS_KEY_MAX) == LABELS_KEY_MAX || !*key ||
		    strnlen(value, LABELS_VALUE_MAX) == LABELS_VALUE_MAX || !*value ||
		    strpbrk(key, "{},= \n-") || strpbrk(value, "{},\n") || !strncmp(key, "__", 2) ||
		    labels_find(labels, key) != value)
			abort();
	}
}

/* A part of the input in a block of its own size. */
static void add(struct labels *labels, const uint8_t *data, size_t n, enum labels_form form)
{
	char *text = malloc(n ? n : 1);

	memcpy(text, data, n);
	labels_add(labels, text, n, form);
	free(text);
	check(labels);
}

static void format(const struct labels *labels, size_t room)
{
	char *out = malloc(room);
	struct labels *again = calloc(1, sizeof(*again));
	bool complete = labels_format(labels, out, room);

	if (strnlen(out, room) == room || !labels_add(again, out, strlen(out), LABELS_PLAIN))
		abort();
	if (complete ? again->count != labels->count : again->count >= labels->count)
		abort();
	for (unsigned i = 0; i < again->count; i++)
		if (strcmp(again->items[i].key, labels->items[i].key))
			abort();
	free(again);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum labels_form forms[] = {LABELS_PERCENT, LABELS_PLAIN, LABELS_PLAIN};
	struct labels *labels = calloc(1, sizeof(*labels));
	size_t room = size ? 1 + data[0] * 8U : 1;

	for (int i = 0; i < 3; i++) {
		const uint8_t *end = i < 2 && size ? memchr(data, 0, size) : NULL;
		size_t n = end ? (size_t)(end - data) : size;

		add(labels, data, n, forms[i]);
		data += n + (end != NULL);
		size -= n + (end != NULL);
	}
	format(labels, room);
	format(labels, 1 << 14);
	if (labels->count)
		labels_remove(labels, labels->items[labels->count / 2].key);
	check(labels);
	free(labels);
	return 0;
}

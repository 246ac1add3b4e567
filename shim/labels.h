/* SPDX-License-Identifier: Apache-2.0 */
/*
 * labels.h - the labels of a series, merged from the variables that may name them, in the form that
 * Pyroscope's name= parameter takes: it has no escapes, so what it cannot carry is replaced or dropped.
 * Context: BOOT; no allocation.
 */
#ifndef SPANPROF_SHIM_LABELS_H
#define SPANPROF_SHIM_LABELS_H

#include <stdbool.h>
#include <stddef.h>

#define LABELS_MAX 20 /* the server takes 30 names a series, its own among them */
#define LABELS_KEY_MAX 128
#define LABELS_VALUE_MAX 512

struct labels {
	unsigned count;
	struct {
		char key[LABELS_KEY_MAX];
		char value[LABELS_VALUE_MAX];
	} items[LABELS_MAX];
};

enum labels_form {
	LABELS_PLAIN,	/* "k=v,k=v" as the Pyroscope SDKs take it; a bad pair is dropped */
	LABELS_PERCENT, /* OTEL_RESOURCE_ATTRIBUTES: percent-encoded; a malformed pair voids all */
};

/* Add text's pairs, later ones replacing earlier ones of the same key. What is too long or too much is
 * left out. False: something was dropped. */
bool labels_add(struct labels *labels, const char *text, size_t n, enum labels_form form);
/* The value of key, or NULL. */
const char *labels_find(const struct labels *labels, const char *key);
void labels_remove(struct labels *labels, const char *key);
/* "k=v,k=v" into out; false: cut at a pair, for want of room. */
bool labels_format(const struct labels *labels, char *out, size_t room);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Pyroscope server says about itself at BUILDINFO_PATH, and what follows from it. Servers
 * before 2.1 turn the sample label trace_id into a series label, a new series for each trace, so
 * they must not get it. Context: AGENT; the body is foreign bytes.
 */
#ifndef SPANPROF_AGENT_BUILDINFO_H
#define SPANPROF_AGENT_BUILDINFO_H

#include <stdbool.h>
#include <stddef.h>

#define BUILDINFO_PATH "/api/v1/status/buildinfo"
#define BUILDINFO_VERSION_MAX 64

/*
 * Copies the version that body names, cut to cap. 0, also when the server was built without one
 * and version is then empty; -EINVAL when body is no such document.
 */
int buildinfo_parse(const char *body, size_t len, char *version, size_t cap);

/*
 * False only for what is surely a version below 2.1. Self-built servers, gateways and hosted ones
 * name no version, or none that can be compared; those are current far more often than old.
 */
bool buildinfo_trace_id_safe(const char *version);

#endif

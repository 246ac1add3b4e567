/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_value.h - reads one variable's value. Context: BOOT.
 */
#ifndef SPANPROF_SHIM_CONFIG_VALUE_H
#define SPANPROF_SHIM_CONFIG_VALUE_H

#include <stddef.h>

/*
 * Puts value, which is not empty, into the field of size bytes: a uint32_t, or for text, paths and
 * addresses an array of char. Returns NULL, or what was expected instead, with the field as it was.
 */
typedef const char *config_reader(const char *value, void *field, size_t size);

config_reader config_read_bool;
config_reader config_read_level;
config_reader config_read_start;
config_reader config_read_switch;
config_reader config_read_names;
config_reader config_read_rate;
config_reader config_read_frames;
config_reader config_read_spans;
config_reader config_read_interval;
config_reader config_read_timeout;
config_reader config_read_text;
config_reader config_read_url;
config_reader config_read_path;
config_reader config_read_propagators;

#endif

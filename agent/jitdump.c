/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jitdump.c - records of a dump to ranges of code. AGENT: called by jit_file.c with what the file
 * has grown by. A dump of the other byte order or of another machine is refused: nobody writes one
 * here.
 *
 * Of the debug information only the first entry is used, for file and line of the function. Further
 * ones give lines for addresses, but writers disagree whether those count the 0x40 bytes of header
 * that `perf inject` will put before the code.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "agent/jitdump.h"

#define JITDUMP_MAGIC 0x4A695444U /* "JiTD" */
#define JITDUMP_VERSION 1U

#if defined(__aarch64__)
#define JITDUMP_MACHINE EM_AARCH64
#else
#define JITDUMP_MACHINE EM_X86_64
#endif

enum jitdump_id { JITDUMP_LOAD, JITDUMP_MOVE, JITDUMP_DEBUG_INFO };

struct jitdump_header {
	uint32_t magic, version, total_size, machine, padding, pid;
	uint64_t timestamp, flags;
};

struct jitdump_prefix {
	uint32_t id, total_size;
	uint64_t timestamp;
};

struct jitdump_load {
	struct jitdump_prefix prefix;
	uint32_t pid, tid;
	uint64_t vma, address, size, index;
}; /* the name, the code */

struct jitdump_move {
	struct jitdump_prefix prefix;
	uint32_t pid, tid;
	uint64_t vma, old_address, new_address, size, index;
};

struct jitdump_debug_info {
	struct jitdump_prefix prefix;
	uint64_t address, count;
}; /* count entries */

struct jitdump_debug_entry {
	uint64_t address;
	int32_t line;
	uint32_t discriminator;
}; /* the file */

static ssize_t feed_header(struct jitdump *d, const uint8_t *bytes, size_t n)
{
	struct jitdump_header header;

	if (n < sizeof(header))
		return 0;
	memcpy(&header, bytes, sizeof(header));
	if (header.magic != JITDUMP_MAGIC || header.version != JITDUMP_VERSION ||
	    header.machine != JITDUMP_MACHINE || header.total_size < sizeof(header))
		return -EBADMSG;
	d->started = true;
	return header.total_size;
}

/* A range's end; 0 when there can be no such range. */
static uint64_t end_of(uint64_t start, uint64_t size)
{
	return size <= UINT64_MAX - start ? start + size : 0;
}

/* The record's bytes as far as they are there: all that its kind needs. */
static bool take_load(struct jitdump *d, const uint8_t *bytes, size_t n, uint64_t offset,
		      struct jit_code *code, uint32_t source)
{
	struct jit_entry e = {.source = source, .text = offset + sizeof(struct jitdump_load)};
	struct jitdump_load load;

	if (n <= sizeof(load))
		return false;
	memcpy(&load, bytes, sizeof(load));
	e.start = load.address;
	e.end = end_of(load.address, load.size);
	n = n - sizeof(load) < JIT_TEXT_MAX ? n - sizeof(load) : JIT_TEXT_MAX;
	e.length = (uint32_t)strnlen((const char *)bytes + sizeof(load), n);
	if (d->debug && d->debug_address == load.address)
		e.debug = d->debug;
	d->debug = 0;
	return e.length && jit_code_add(code, &e) != -EINVAL;
}

static bool take_move(const uint8_t *bytes, size_t n, struct jit_code *code)
{
	const struct jit_entry *old;
	struct jitdump_move move;
	struct jit_entry e;

	if (n < sizeof(move))
		return false;
	memcpy(&move, bytes, sizeof(move));
	old = jit_code_find(code, move.old_address);
	if (!old)
		return false;
	e = *old;
	e.start = move.new_address;
	e.end = end_of(move.new_address, move.size);
	return jit_code_add(code, &e) != -EINVAL;
}

static bool take_debug(struct jitdump *d, const uint8_t *bytes, size_t n, uint64_t offset)
{
	struct jitdump_debug_info info;

	if (n < sizeof(info))
		return false;
	memcpy(&info, bytes, sizeof(info));
	d->debug = 0;
	if (!info.count || n <= sizeof(info) + sizeof(struct jitdump_debug_entry))
		return info.count == 0;
	d->debug_address = info.address;
	d->debug = offset + sizeof(info);
	return true;
}

/* One record; the result is that of jitdump_feed. */
static ssize_t feed_record(struct jitdump *d, const uint8_t *bytes, size_t n, uint64_t offset,
			   struct jit_code *code, uint32_t source)
{
	struct jitdump_prefix prefix;
	size_t needed = sizeof(prefix);
	bool good = true;

	if (n < sizeof(prefix))
		return 0;
	memcpy(&prefix, bytes, sizeof(prefix));
	if (prefix.total_size < sizeof(prefix))
		return -EBADMSG;
	if (prefix.id <= JITDUMP_DEBUG_INFO)
		needed =
		    prefix.total_size < JITDUMP_LOOK_MAX ? prefix.total_size : JITDUMP_LOOK_MAX;
	if (n < needed)
		return 0;
	if (prefix.id == JITDUMP_LOAD)
		good = take_load(d, bytes, needed, offset, code, source);
	else if (prefix.id == JITDUMP_MOVE)
		good = take_move(bytes, needed, code);
	else if (prefix.id == JITDUMP_DEBUG_INFO)
		good = take_debug(d, bytes, needed, offset);
	d->malformed += !good;
	return prefix.total_size;
}

ssize_t jitdump_feed(struct jitdump *d, const uint8_t *bytes, size_t n, uint64_t offset,
		     struct jit_code *code, uint32_t source)
{
	size_t at = 0;
	ssize_t got;

	do {
		got = d->started ? feed_record(d, bytes + at, n - at, offset + at, code, source)
				 : feed_header(d, bytes + at, n - at);
		if (got < 0)
			return got;
		at += (size_t)got;
	} while (got && at < n);
	return (ssize_t)at;
}

void jitdump_debug(const uint8_t *bytes, size_t n, const char **file, size_t *length, int64_t *line)
{
	struct jitdump_debug_entry entry;

	*file = NULL;
	*length = 0;
	*line = 0;
	if (n <= sizeof(entry))
		return;
	memcpy(&entry, bytes, sizeof(entry));
	*length = strnlen((const char *)bytes + sizeof(entry), n - sizeof(entry));
	if (*length)
		*file = (const char *)bytes + sizeof(entry);
	if (entry.line > 0)
		*line = entry.line;
}

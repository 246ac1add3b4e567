/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks .gnu_debugdata into memory and opens what was in it.
 *
 * AGENT: called by symbol_source.c. The sole user of liblzma.
 */
#include "agent/symbol_mini.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lzma.h>

#define MINI_FIRST (256u << 10) /* bytes made room for at first */

/* Doubles the room for output; -EFBIG when it is as large as it may get. */
static int grow(uint8_t **image, size_t *room, lzma_stream *stream)
{
	size_t used = *room - stream->avail_out;
	size_t more = *room ? 2 * *room : MINI_FIRST;
	uint8_t *bigger;

	if (more > SYMBOL_MINI_MAX)
		return -EFBIG;
	bigger = realloc(*image, more);
	if (!bigger)
		return -ENOMEM;
	*image = bigger;
	*room = more;
	stream->next_out = bigger + used;
	stream->avail_out = more - used;
	return 0;
}

static int unpack(const uint8_t *packed, size_t n, uint8_t **image, size_t *len)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret ret = lzma_stream_decoder(&stream, SYMBOL_MINI_DECODER_MAX, 0);
	size_t room = 0;
	int err = 0;

	*image = NULL;
	if (ret != LZMA_OK)
		return -ENOMEM;
	stream.next_in = packed;
	stream.avail_in = n;
	while (ret == LZMA_OK && !err) {
		if (!stream.avail_out)
			err = grow(image, &room, &stream);
		if (!err)
			ret = lzma_code(&stream, LZMA_FINISH);
	}
	*len = stream.total_out;
	lzma_end(&stream);
	if (!err && ret != LZMA_STREAM_END)
		err = ret == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
	if (err) {
		free(*image);
		*image = NULL;
	}
	return err;
}

int symbol_mini_open(struct symbol_mini *mini, const struct elf_file *elf)
{
	const struct elf_file_section *sec = elf_file_section(elf, ".gnu_debugdata");
	uint8_t *packed, *fitting;
	size_t len;
	int err;

	memset(mini, 0, sizeof(*mini));
	mini->elf.fd = -1;
	if (!sec)
		return -ENOENT;
	err = elf_file_copy(elf, sec->offset, sec->size, SYMBOL_MINI_PACKED_MAX, &packed);
	if (err)
		return err;
	err = unpack(packed, sec->size, &mini->image, &len);
	free(packed);
	if (err)
		return err;
	fitting = realloc(mini->image, len + 1);
	mini->image = fitting ? fitting : mini->image;
	err = elf_file_open_image(&mini->elf, mini->image, len);
	if (err)
		symbol_mini_release(mini);
	return err;
}

void symbol_mini_release(struct symbol_mini *mini)
{
	elf_file_release(&mini->elf);
	free(mini->image);
	mini->image = NULL;
}

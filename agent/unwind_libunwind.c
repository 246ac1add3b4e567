/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libunwind's remote interface over a sample: accessors that answer from the record's own copy of
 * the stack and from module files, and the loop that steps until the root.
 *
 * AGENT: called for samples that the handler could not walk; the oracle of the tests. The sole
 * user of libunwind. Descriptions reach it only through fde.c, which vets them.
 */
#include "agent/unwind_libunwind.h"

#include "agent/fde.h"
#include "agent/unwind_memory.h"

#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

/* Exported by libunwind for remote unwinders, but declared in none of its headers. */
#define search_unwind_table UNW_OBJ(dwarf_search_unwind_table)
extern int search_unwind_table(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *di,
			       unw_proc_info_t *pi, int need_unwind_info, void *arg);

/*
 * libunwind is given a search table of one entry, at an address that no process maps: it finds
 * the FDE that was vetted, and no other.
 */
#define UNWIND_TABLE_ADDR 0xfffffffffffff000u
#define UNWIND_TABLE_ENTRY                                                                         \
	0x80000000u /* start INT32_MIN: before any ip; FDE at the base itself                      \
		     */

/*
 * aarch64: the caller's sp cannot be told from a frame record, so a walk that has begun to go by them
 * goes on so. libunwind says of what it is about to step through whether that is a signal's frame, not
 * of what it has stepped through; and where it fails, it goes on by what is in lr as if it had not.
 */
#if defined(__aarch64__)
#define RECORDS_CHAIN true
#else
#define RECORDS_CHAIN false
#endif

struct unwinder {
	unw_addr_space_t space;
	struct unwind_memory memory; /* of the walk under way */
	struct unwind_regs regs;     /* where the cursor was started */
	bool no_info;		     /* the last step failed for want of a description */
	bool unreadable;	     /* or of memory */
	bool by_records;
};

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *pi, int need,
			  void *arg)
{
	struct unwinder *u = arg;
	const struct maps_entry *entry = maps_find(u->memory.in->maps, ip);
	unw_dyn_info_t di = {.format = UNW_INFO_FORMAT_REMOTE_TABLE};
	const struct module_frames *frames;
	uint64_t vaddr, bias;
	struct module *m;
	struct fde fde;
	int err;

	/* Not -UNW_ENOINFO, upon which libunwind would go on guessing on its own. */
	u->no_info = true;
	u->memory.frames = NULL;
	if (!entry || !entry->exec)
		return -UNW_EBADFRAME;
	m = unwind_memory_module(&u->memory, entry);
	vaddr = module_vaddr(m, entry, ip);
	frames = module_frames(m);
	if (fde_find(frames, vaddr, &fde))
		return -UNW_EBADFRAME;
	bias = ip - vaddr;
	if (frames->vaddr + bias < UNWIND_LOWEST_ADDR || frames->vaddr + bias > UNWIND_HIGHEST_ADDR)
		return -UNW_EBADFRAME;
	u->memory.frames = frames;
	u->memory.frames_addr = frames->vaddr + bias;
	di.start_ip = fde.start + bias;
	di.end_ip = fde.end + bias;
	di.u.rti.segbase = fde.vaddr + bias;
	di.u.rti.table_data = UNWIND_TABLE_ADDR;
	di.u.rti.table_len = 1;
	u->memory.parsing_header = true;
	err = search_unwind_table(space, ip, &di, pi, need, u);
	u->memory.parsing_header = false;
	u->no_info = err < 0;
	return err < 0 ? -UNW_EBADFRAME : 0;
}

static void put_unwind_info(unw_addr_space_t space, unw_proc_info_t *pi, void *arg)
{
}

static int get_dyn_info_list_addr(unw_addr_space_t space, unw_word_t *addr, void *arg)
{
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t space, unw_word_t addr, unw_word_t *word, int write,
		      void *arg)
{
	struct unwinder *u = arg;

	if (write)
		return -UNW_EINVAL;
	/* The one-entry table; it is read while the header that it leads to is being parsed. */
	if (u->memory.parsing_header && addr == UNWIND_TABLE_ADDR) {
		*word = UNWIND_TABLE_ENTRY;
		return 0;
	}
	if (unwind_memory_read(&u->memory, addr, word))
		return 0;
	u->unreadable = true;
	return -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t reg, unw_word_t *value, int write,
		      void *arg)
{
	const struct unwinder *u = arg;

	if (write)
		return -UNW_EREADONLYREG;
	/* Not UNW_REG_IP, which is lr on aarch64. */
	if (reg == (int)FEED_REG_PC)
		*value = u->regs.pc;
	else if (reg == (int)FEED_REG_SP)
		*value = u->regs.sp;
	else if (reg >= 0 && reg < (int)UNWIND_REGISTERS)
		*value = u->regs.regs[reg];
	else
		return -UNW_EBADREG;
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t reg, unw_fpreg_t *value, int write,
			void *arg)
{
	return -UNW_EBADREG;
}

static int resume(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
	return -UNW_EINVAL;
}

static int get_proc_name(unw_addr_space_t space, unw_word_t addr, char *buf, size_t len,
			 unw_word_t *offset, void *arg)
{
	return -UNW_ENOINFO;
}

static unw_accessors_t accessors = {
    .find_proc_info = find_proc_info,
    .put_unwind_info = put_unwind_info,
    .get_dyn_info_list_addr = get_dyn_info_list_addr,
    .access_mem = access_mem,
    .access_reg = access_reg,
    .access_fpreg = access_fpreg,
    .resume = resume,
    .get_proc_name = get_proc_name,
};

struct unwinder *unwinder_new(struct modules *modules)
{
	struct unwinder *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->memory.modules = modules;
	u->space = unw_create_addr_space(&accessors, 0);
	if (!u->space) {
		free(u);
		return NULL;
	}
	/*
	 * libunwind's cache knows an address only: not the process, not whether it is a return
	 * address, and it runs expressions from memory again that was vetted for another walk.
	 */
	unw_set_caching_policy(u->space, UNW_CACHE_NONE);
	return u;
}

void unwinder_free(struct unwinder *u)
{
	if (u)
		unw_destroy_addr_space(u->space);
	free(u);
}

enum step {
	STEP_END,    /* why is in the result */
	STEP_FAILED, /* libunwind cannot */
	STEP_CALLER, /* at a return address */
	STEP_SIGNAL, /* at what a signal interrupted */
};

static enum step stop(struct unwind_result *result, enum unwind_end end)
{
	result->end = end;
	return STEP_END;
}

/* To the caller that next->pc returns to. */
static enum step start_again(struct unwinder *u, unw_cursor_t *cursor, struct unwind_regs *next,
			     struct unwind_result *result)
{
	/* A fresh cursor takes its pc for exact; one byte back, it is inside the call. */
	next->pc--;
	u->regs = *next;
	return unw_init_remote(cursor, u->space, u) < 0 ? stop(result, UNWIND_END_LOST)
							: STEP_CALLER;
}

static enum step step_frame_pointer(struct unwinder *u, unw_cursor_t *cursor, uint64_t pc,
				    uint64_t sp, struct unwind_regs *next,
				    struct unwind_result *result)
{
	const struct maps_entry *entry = maps_find(u->memory.in->maps, pc);
	uint64_t fp = next->regs[FEED_REG_FP];

	/* Zero is what crt1.o's _start leaves; in code made at run time it is any register's value. */
	if (!fp)
		return stop(result, entry && entry->inode ? UNWIND_END_ENTRY : UNWIND_END_LOST);
	if (fp % sizeof(fp) || fp < sp ||
	    !unwind_memory_stack(&u->memory, fp, &next->regs[FEED_REG_FP]) ||
	    !unwind_memory_stack(&u->memory, fp + 8, &next->pc))
		return stop(result, UNWIND_END_LOST);
	if (RECORDS_CHAIN)
		next->pc &= unwind_memory_bits(&u->memory);
	if (!next->pc)
		return stop(result, UNWIND_END_ZERO);
	result->guessed++;
	u->by_records = RECORDS_CHAIN;
	next->sp = fp + 16;
	return start_again(u, cursor, next, result);
}

/* Code without a description (a JIT's, hand-written assembly) may be known, or keep a frame pointer. */
static enum step step_undescribed(struct unwinder *u, unw_cursor_t *cursor, uint64_t pc,
				  uint64_t sp, struct unwind_result *result)
{
	const struct unwind_input *in = u->memory.in;
	/* Where a return address is in lr, what lies on the stack does not tell. */
	int kept = in->kept && !RECORDS_CHAIN ? in->kept(in->arg, pc) : -1;
	struct unwind_regs next = {0};

	for (unsigned int i = 0; i < FEED_REG_PC; i++)
		if (unw_get_reg(cursor, (int)i, &next.regs[i]) < 0)
			next.regs[i] = 0;
	if (kept < 0)
		return step_frame_pointer(u, cursor, pc, sp, &next, result);
	if (!unwind_memory_stack(&u->memory, sp + (uint64_t)kept, &next.pc) || !next.pc)
		return stop(result, UNWIND_END_LOST);
	next.sp = sp + (uint64_t)kept + 8;
	return start_again(u, cursor, &next, result);
}

/* libunwind says "no more frames" for both: no return address, and one that is zero. */
static enum unwind_end root_of(unw_cursor_t *cursor)
{
	unw_save_loc_t place;

	if (unw_get_save_loc(cursor, UNW_REG_IP, &place) < 0 || place.type == UNW_SLT_NONE)
		return UNWIND_END_ROOT;
	return UNWIND_END_ZERO;
}

/* By libunwind. STEP_FAILED: no_info says whether for want of a description. */
static enum step step_described(struct unwinder *u, unw_cursor_t *cursor,
				struct unwind_result *result)
{
	bool signal = RECORDS_CHAIN && unw_is_signal_frame(cursor) > 0;
	int ret;

	u->no_info = u->unreadable = false;
	ret = unw_step(cursor);
	if (ret < 0 || (RECORDS_CHAIN && !signal && (u->no_info || u->unreadable)))
		return STEP_FAILED;
	if (!ret)
		return stop(result, root_of(cursor));
	return signal || (!RECORDS_CHAIN && unw_is_signal_frame(cursor) > 0) ? STEP_SIGNAL
									      : STEP_CALLER;
}

static enum step step(struct unwinder *u, unw_cursor_t *cursor, uint64_t *pc, uint64_t *sp,
		      struct unwind_result *result)
{
	const struct maps_entry *entry;
	uint64_t old_sp = *sp, old_pc = *pc;
	enum step kind;
	bool again;

	u->memory.beyond = false;
	kind = u->by_records ? STEP_FAILED : step_described(u, cursor, result);
	again = kind == STEP_FAILED && (u->by_records || u->no_info);
	if (again)
		kind = step_undescribed(u, cursor, old_pc, old_sp, result);
	else if (kind == STEP_FAILED)
		kind = stop(result, UNWIND_END_LOST);
	if (kind == STEP_END)
		return kind;
	if (unw_get_reg(cursor, UNW_REG_IP, pc) < 0 || unw_get_reg(cursor, UNW_REG_SP, sp) < 0)
		return stop(result, UNWIND_END_LOST);
	if (again)
		++*pc;
	if (!*pc)
		return stop(result, UNWIND_END_ZERO);
	/* A caller's frame lies above; only a signal may have switched stacks. */
	if (kind == STEP_CALLER && *sp < old_sp)
		return stop(result, UNWIND_END_LOST);
	entry = maps_find(u->memory.in->maps, kind == STEP_CALLER ? *pc - 1 : *pc);
	return entry && entry->exec ? kind : stop(result, UNWIND_END_NO_CODE);
}

size_t unwind_walk(struct unwinder *u, const struct unwind_input *input, uint64_t *pcs, size_t max,
		   struct unwind_result *result)
{
	enum step kind = STEP_SIGNAL;
	uint64_t pc = input->regs->pc, sp = input->regs->sp;
	unw_cursor_t cursor;
	size_t n = 0;

	memset(result, 0, sizeof(*result));
	result->end = UNWIND_END_LIMIT;
	u->memory.in = input;
	u->regs = *input->regs;
	u->memory.frames = NULL;
	u->by_records = false;
	u->memory.reads = 0;
	if (unw_init_remote(&cursor, u->space, u) < 0)
		kind = stop(result, UNWIND_END_LOST);
	while (kind != STEP_END && n < max && n < UNWIND_FRAMES_MAX) {
		if (kind == STEP_SIGNAL)
			result->exact[n / 64] |= UINT64_C(1) << n % 64;
		pcs[n++] = pc;
		kind = step(u, &cursor, &pc, &sp, result);
	}
	if (result->end == UNWIND_END_LOST && u->memory.beyond)
		result->end = UNWIND_END_SLICE;
	result->truncated = result->end >= UNWIND_END_LIMIT;
	u->memory.in = NULL;
	return n;
}

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

#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

/* Exported by libunwind for remote unwinders, but declared in none of its headers. */
#define search_unwind_table UNW_OBJ(dwarf_search_unwind_table)
extern int search_unwind_table(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *di,
			       unw_proc_info_t *pi, int need_unwind_info, void *arg);

#define UNWIND_MODULE_SLOTS 64 /* power of two */

/*
 * libunwind is given a search table of one entry, at an address that no process maps: it finds
 * the FDE that was vetted, and no other.
 */
#define UNWIND_TABLE_ADDR 0xfffffffffffff000u
#define UNWIND_TABLE_ENTRY                                                                         \
	0x80000000u /* start INT32_MIN: before any ip; FDE at the base itself                      \
		     */

/*
 * Where frames may appear. A description that never defines its frame address makes libunwind run
 * the expression at address 0, which nobody vetted: nothing is readable there, whatever the slice
 * or a mapping claims. The end keeps frames away from the one-entry table.
 */
#define UNWIND_LOWEST_ADDR 4096
#define UNWIND_HIGHEST_ADDR (UINT64_C(1) << 56)

#define FRAME_POINTER 6 /* rbp */

/* Remembers which module a mapping is; named by generation, as maps are replaced in place. */
struct module_slot {
	const struct maps_entry *entry;
	uint64_t generation, past; /* of the map, and of what lay there before */
	struct module *module;
};

struct unwinder {
	unw_addr_space_t space;
	struct modules *modules;
	struct module_slot slots[UNWIND_MODULE_SLOTS];

	/* The walk under way. */
	const struct unwind_input *in;
	struct unwind_regs regs; /* where the cursor was started */
	unsigned int reads;
	bool no_info; /* the last step failed for want of a description */

	/*
	 * Where .eh_frame of the object being stepped through appears in the process. It is looked
	 * at before the stack slice: a slice that claims the same addresses must not replace bytes
	 * that were vetted.
	 */
	uint64_t frames_addr;
	const struct module_frames *frames;
	/* While an FDE's header is parsed, pointers it holds are followed for values nobody uses.
	 */
	bool parsing_header;
};

static struct module *module_at(struct unwinder *u, const struct maps_entry *entry)
{
	struct module_slot *slot =
	    &u->slots[((uintptr_t)entry / sizeof(*entry)) % UNWIND_MODULE_SLOTS];
	uint64_t past = u->in->maps->past ? u->in->maps->past->generation : 0;

	if (slot->entry != entry || slot->generation != u->in->maps->generation ||
	    slot->past != past) {
		slot->past = past;
		slot->entry = entry;
		slot->generation = u->in->maps->generation;
		slot->module = module_get(u->modules, entry, u->in->pid);
	}
	return slot->module;
}

static int find_proc_info(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t *pi, int need,
			  void *arg)
{
	struct unwinder *u = arg;
	const struct maps_entry *entry = maps_find(u->in->maps, ip);
	unw_dyn_info_t di = {.format = UNW_INFO_FORMAT_REMOTE_TABLE};
	const struct module_frames *frames;
	uint64_t vaddr, bias;
	struct module *m;
	struct fde fde;
	int err;

	/* Not -UNW_ENOINFO, upon which libunwind would go on guessing on its own. */
	u->no_info = true;
	u->frames = NULL;
	if (!entry || !entry->exec)
		return -UNW_EBADFRAME;
	m = module_at(u, entry);
	vaddr = module_vaddr(m, entry, ip);
	frames = module_frames(m);
	if (fde_find(frames, vaddr, &fde))
		return -UNW_EBADFRAME;
	bias = ip - vaddr;
	if (frames->vaddr + bias < UNWIND_LOWEST_ADDR || frames->vaddr + bias > UNWIND_HIGHEST_ADDR)
		return -UNW_EBADFRAME;
	u->frames = frames;
	u->frames_addr = frames->vaddr + bias;
	di.start_ip = fde.start + bias;
	di.end_ip = fde.end + bias;
	di.u.rti.segbase = fde.vaddr + bias;
	di.u.rti.table_data = UNWIND_TABLE_ADDR;
	di.u.rti.table_len = 1;
	u->parsing_header = true;
	err = search_unwind_table(space, ip, &di, pi, need, u);
	u->parsing_header = false;
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

/* libunwind reads tables by aligned words, so the first and last may reach beyond the section. */
static bool read_frames(const struct unwinder *u, uint64_t addr, uint64_t *word)
{
	const struct module_frames *f = u->frames;
	uint64_t at = addr - u->frames_addr;

	if (!f || !f->len)
		return false;
	if (at < f->len && f->len - at >= sizeof(*word)) {
		memcpy(word, f->bytes + at, sizeof(*word));
		return true;
	}
	if (at >= f->len && -at >= sizeof(*word))
		return false;
	*word = 0;
	for (size_t i = 0; i < sizeof(*word); i++)
		if (at + i < f->len)
			*word |= (uint64_t)f->bytes[at + i] << 8 * i;
	return true;
}

static bool read_stack(const struct unwind_input *in, uint64_t addr, uint64_t *word)
{
	uint64_t at = addr - in->stack_addr;

	if (addr < in->stack_addr || at >= in->stack_len || in->stack_len - at < sizeof(*word))
		return false;
	memcpy(word, in->stack + at, sizeof(*word));
	return true;
}

static bool read_file(struct unwinder *u, uint64_t addr, uint64_t *word)
{
	const struct maps_entry *entry = maps_find(u->in->maps, addr);
	struct module *m;

	if (!entry || !entry->readable || entry->writable)
		return false;
	m = module_at(u, entry);
	return !module_read(m, module_vaddr(m, entry, addr), word, sizeof(*word));
}

static int access_mem(unw_addr_space_t space, unw_word_t addr, unw_word_t *word, int write,
		      void *arg)
{
	struct unwinder *u = arg;

	if (write || addr < UNWIND_LOWEST_ADDR || ++u->reads > UNWIND_READS_MAX)
		return -UNW_EINVAL;
	if (read_frames(u, addr, word))
		return 0;
	if (u->parsing_header) {
		*word = addr == UNWIND_TABLE_ADDR ? UNWIND_TABLE_ENTRY : 0;
		return 0;
	}
	return read_stack(u->in, addr, word) || read_file(u, addr, word) ? 0 : -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t reg, unw_word_t *value, int write,
		      void *arg)
{
	const struct unwinder *u = arg;

	if (write)
		return -UNW_EREADONLYREG;
	if (reg == UNW_REG_IP)
		*value = u->regs.pc;
	else if (reg == UNW_REG_SP)
		*value = u->regs.sp;
	else if (reg >= 0 && reg < UNWIND_REGISTERS)
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
	u->modules = modules;
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
	STEP_ROOT,
	STEP_LOST,
	STEP_CALLER, /* at a return address */
	STEP_SIGNAL, /* at what a signal interrupted */
};

/* Code without a description (a JIT's, hand-written assembly) may be known, or keep a frame pointer. */
static enum step step_undescribed(struct unwinder *u, unw_cursor_t *cursor, uint64_t pc,
				    uint64_t sp)
{
	const struct maps_entry *entry = maps_find(u->in->maps, pc);
	struct unwind_regs next = {0};
	int kept = u->in->kept ? u->in->kept(u->in->arg, pc) : -1;
	uint64_t fp;

	for (int i = 0; i < UNWIND_REGISTERS - 1; i++)
		if (unw_get_reg(cursor, i, &next.regs[i]) < 0)
			next.regs[i] = 0;
	fp = next.regs[FRAME_POINTER];
	if (kept >= 0) {
		if (!read_stack(u->in, sp + (uint64_t)kept, &next.pc) || !next.pc)
			return STEP_LOST;
		next.sp = sp + (uint64_t)kept + 8;
		goto next;
	}
	/* Zero is what crt1.o's _start leaves; in code made at run time it is any register's value. */
	if (!fp)
		return entry && entry->inode ? STEP_ROOT : STEP_LOST;
	if (fp % sizeof(fp) || fp < sp || !read_stack(u->in, fp, &next.regs[FRAME_POINTER]) ||
	    !read_stack(u->in, fp + 8, &next.pc))
		return STEP_LOST;
	if (!next.pc)
		return STEP_ROOT;
	next.sp = fp + 16;
next:
	/* A fresh cursor takes its pc for exact; one byte back, it is inside the call. */
	next.pc--;
	u->regs = next;
	return unw_init_remote(cursor, u->space, u) < 0 ? STEP_LOST : STEP_CALLER;
}

static enum step step(struct unwinder *u, unw_cursor_t *cursor, uint64_t *pc, uint64_t *sp)
{
	const struct maps_entry *entry;
	uint64_t old_sp = *sp, old_pc = *pc;
	enum step kind;
	int ret;

	u->no_info = false;
	ret = unw_step(cursor);
	if (ret == 0)
		return STEP_ROOT;
	if (ret > 0)
		kind = unw_is_signal_frame(cursor) > 0 ? STEP_SIGNAL : STEP_CALLER;
	else
		kind = u->no_info ? step_undescribed(u, cursor, old_pc, old_sp) : STEP_LOST;
	if (kind < STEP_CALLER)
		return kind;
	if (unw_get_reg(cursor, UNW_REG_IP, pc) < 0 || unw_get_reg(cursor, UNW_REG_SP, sp) < 0)
		return STEP_LOST;
	if (ret < 0)
		++*pc;
	if (!*pc)
		return STEP_ROOT;
	/* A caller's frame lies above; only a signal may have switched stacks. */
	if (kind == STEP_CALLER && *sp < old_sp)
		return STEP_LOST;
	entry = maps_find(u->in->maps, kind == STEP_CALLER ? *pc - 1 : *pc);
	return entry && entry->exec ? kind : STEP_LOST;
}

size_t unwind_walk(struct unwinder *u, const struct unwind_input *input, uint64_t *pcs, size_t max,
		   struct unwind_result *result)
{
	enum step kind = STEP_SIGNAL;
	uint64_t pc = input->regs->pc, sp = input->regs->sp;
	unw_cursor_t cursor;
	size_t n = 0;

	memset(result, 0, sizeof(*result));
	u->in = input;
	u->regs = *input->regs;
	u->frames = NULL;
	u->reads = 0;
	if (unw_init_remote(&cursor, u->space, u) < 0)
		kind = STEP_LOST;
	while (kind >= STEP_CALLER && n < max && n < UNWIND_FRAMES_MAX) {
		if (kind == STEP_SIGNAL)
			result->exact[n / 64] |= UINT64_C(1) << n % 64;
		pcs[n++] = pc;
		kind = step(u, &cursor, &pc, &sp);
	}
	result->truncated = kind != STEP_ROOT;
	u->in = NULL;
	return n;
}

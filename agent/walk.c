/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.c - finishes a sample's walk over its copied registers and stack, then says for each program
 * counter which object it is in and where. AGENT. A counter in no known mapping makes the process's
 * map be read again: it may have been dlopen'ed since.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/jit.h"
#include "agent/unwind_libunwind.h"
#include "agent/walk.h"

#define WALK_RETRY_NS 20000000ULL /* doubled for each time that it was in vain */
#define WALK_VAIN_MAX 6
#define WALK_OWN_LIBRARY "libspanprof.so"

struct walk {
	struct modules *modules;
	struct unwinder *unwinder;
	struct jit *jit;
	struct module *program;
	struct oracle *oracle; /* NULL: nobody asks */
};

struct walk *walk_new(struct modules *modules)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->modules = modules;
	w->unwinder = unwinder_new(modules);
	w->jit = jit_new();
	if (!w->unwinder || !w->jit) {
		walk_free(w);
		return NULL;
	}
	return w;
}

void walk_free(struct walk *w)
{
	if (!w)
		return;
	unwinder_free(w->unwinder);
	jit_free(w->jit);
	free(w);
}

void walk_verify(struct walk *w, struct oracle *oracle)
{
	w->oracle = oracle;
}

struct module *walk_program(const struct walk *w)
{
	return w->program;
}

/* The lowest mapping with a file and code is the program's on Linux: what exec mapped first. */
static void note_program(struct walk *w, const struct maps *maps, pid_t pid)
{
	for (size_t i = 0; i < maps->count && !w->program; i++)
		if (maps->entries[i].exec && maps->entries[i].inode)
			w->program = module_get(w->modules, &maps->entries[i], pid);
}

struct finishing {
	struct walk *w;
	const struct drained_sample *s;
	const struct maps *maps;
	uint64_t now_ns;
};

static int kept(void *arg, uint64_t pc)
{
	const struct finishing *f = arg;
	const struct maps_entry *entry = maps_find(f->maps, pc - 1);

	if (!entry || !module_get(f->w->modules, entry, f->s->process->pid)->anon)
		return -1;
	return jit_kept(f->w->jit, f->s->client, f->s->process, f->maps, pc, f->now_ns);
}

static size_t finish(struct walk *w, const struct drained_sample *s, const struct maps *maps,
		     uint64_t now_ns, uint64_t *pcs, struct unwind_result *result)
{
	struct finishing f = {w, s, maps, now_ns};
	struct unwind_regs regs = {.pc = s->regs[FEED_REG_PC], .sp = s->regs[FEED_REG_SP]};
	struct unwind_input input = {.regs = &regs,
				     .stack = s->stack,
				     .stack_addr = s->stack_address,
				     .stack_len = s->stack_length,
				     .maps = maps,
				     .pid = s->process->pid,
				     .kept = kept,
				     .arg = &f};

	memcpy(regs.regs, s->regs, sizeof(regs.regs));
	return unwind_walk(w->unwinder, &input, pcs, s->client->config.frames_max, result);
}

/* The handler walked it: to the root, or as far as it may. */
static size_t take_frames(const struct drained_sample *s, uint64_t *pcs, struct unwind_result *result)
{
	uint32_t max = s->client->config.frames_max;
	size_t n = s->frame_count < max ? s->frame_count : max;

	for (size_t i = 0; i < n; i++) {
		pcs[i] = s->frames[i] & ~FEED_FRAME_EXACT;
		if (s->frames[i] & FEED_FRAME_EXACT)
			result->exact[i / 64] |= 1ULL << i % 64;
	}
	result->truncated = (s->flags & FEED_SAMPLE_TRUNCATED) || n < s->frame_count;
	return n;
}

static bool frame_of(struct walk *w, const struct drained_sample *s, const struct maps *maps,
		     uint64_t now_ns, uint64_t pc, bool exact, struct frame *frame)
{
	/* A return address may be the first byte behind a function that never returns. */
	uint64_t within = exact ? pc : pc - 1;
	const struct maps_entry *entry = maps_find(maps, within);

	if (!entry)
		return false;
	frame->module = module_get(w->modules, entry, s->process->pid);
	frame->vaddr = frame->module->anon ? 0 : module_vaddr(frame->module, entry, pc);
	frame->exact = exact;
	if (frame->module->anon)
		jit_frame(w->jit, s->client, s->process, maps, within, now_ns, frame);
	return true;
}

/*
 * A walk that got lost may have met code that was mapped since the map was read. Or it gets lost there
 * every time: then reading the map over and over would be all that comes of it.
 */
static size_t finish_again(struct walk *w, const struct drained_sample *s, uint64_t now_ns,
			   uint64_t *pcs, size_t n, struct unwind_result *result)
{
	struct process *p = s->process;
	const struct maps *maps = client_maps(s->client, p, false, now_ns);
	uint64_t generation = maps->generation;

	if (!result->truncated || now_ns - p->maps_read_ns < WALK_RETRY_NS << p->vain)
		return n;
	maps = client_maps(s->client, p, true, now_ns);
	if (maps->generation != generation)
		n = finish(w, s, maps, now_ns, pcs, result);
	p->vain = !result->truncated ? 0 : p->vain < WALK_VAIN_MAX ? p->vain + 1 : WALK_VAIN_MAX;
	return n;
}

static void judge(struct walk *w, const struct drained_sample *s, uint64_t now_ns,
		  const struct oracle_walk *handler, const struct oracle_walk *libunwind)
{
	struct oracle_place place = {client_maps(s->client, s->process, false, now_ns),
				     s->process->pid};

	if (handler->count)
		oracle_compare(w->oracle, &place, handler, libunwind);
	else
		oracle_alone(w->oracle, &place, libunwind);
}

/* The frames are the handler's, if it had any; what came with them is for a second walk. */
static size_t walk_frames(struct walk *w, const struct drained_sample *s, uint64_t now_ns,
			  uint64_t *pcs, struct unwind_result *result)
{
	const struct maps *maps = client_maps(s->client, s->process, false, now_ns);
	uint64_t again[FEED_FRAMES_MAX];
	struct unwind_result second = {0};
	size_t n = 0, m = 0;

	if (s->frame_count)
		n = take_frames(s, pcs, result);
	if (s->frame_count && (!s->regs || !w->oracle))
		return n;
	m = finish(w, s, maps, now_ns, s->frame_count ? again : pcs, &second);
	m = finish_again(w, s, now_ns, s->frame_count ? again : pcs, m, &second);
	if (!s->frame_count)
		*result = second;
	/* A coroutine's first frame may return to zero. But on a thread's own stack, the end of which is
	 * in the slice, the root is described: zero means that the walk went astray. */
	if (!s->frame_count && second.end == UNWIND_END_ZERO && !(s->flags & FEED_SAMPLE_TRUNCATED))
		result->truncated = true;
	if (w->oracle)
		judge(w, s, now_ns, &(struct oracle_walk){pcs, n, result},
		      &(struct oracle_walk){s->frame_count ? again : pcs, m, &second});
	return s->frame_count ? n : m;
}

struct stack *walk_sample(struct walk *w, const struct drained_sample *s, uint64_t now_ns)
{
	struct unwind_result result = {0};
	uint64_t pcs[FEED_FRAMES_MAX];
	struct frame frames[FEED_FRAMES_MAX];
	const struct maps *maps = client_maps(s->client, s->process, false, now_ns);
	size_t n, count = 0;
	uint64_t pc = s->frame_count ? s->frames[0] & ~FEED_FRAME_EXACT
				     : s->regs ? s->regs[FEED_REG_PC] : 0;

	/* Nothing to walk: the rest of a thread that ended between two ticks. */
	if (!pc)
		return stack_new(frames, 0, false);
	if (!maps_find(maps, pc))
		maps = client_maps(s->client, s->process, true, now_ns);
	note_program(w, maps, s->process->pid);
	n = walk_frames(w, s, now_ns, pcs, &result);
	maps = client_maps(s->client, s->process, false, now_ns);
	for (size_t i = 0; i < n; i++) {
		if (!frame_of(w, s, maps, now_ns, pcs[i], unwind_exact(&result, i),
			      &frames[count])) {
			result.truncated = true;
			break;
		}
		/* Our own wrappers between the host's frames would only puzzle; on top they are cost. */
		if (count == 0 || strcmp(frames[count].module->name, WALK_OWN_LIBRARY) != 0)
			count++;
	}
	return stack_new(frames, count, result.truncated || count == 0);
}

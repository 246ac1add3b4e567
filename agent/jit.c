/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jit.c - which files name a process's code, when they are looked at again, and which name a
 * program counter gets. AGENT: called by walk.c for frames in anonymous executable memory, by
 * export.c for what came of them.
 *
 * A file that has grown is read on, once a second; for a pc that is in no range yet, at every turn:
 * a runtime makes most of its code when it starts, samples wait for no one, and asking a file for
 * its size costs next to nothing.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/jit.h"
#include "agent/jit_code.h"
#include "agent/jit_file.h"
#include "agent/jit_names.h"
#include "agent/log.h"
#include "agent/proc.h"

#define JIT_READ_NS 1000000000ULL
#define JIT_MISSED_NS 20000000ULL

struct jit {
	struct module module; /* whose "addresses" are names' numbers */
	struct jit_names *names;
	bool full; /* said */
};

struct jit_process {
	struct jit_owner owner;
	struct jit_file files[JIT_KINDS];
	struct jit_code code;
	uint64_t read_ns;	  /* 0: never */
	uint64_t dump_generation; /* of the maps that were searched for a dump */
	bool more;		  /* of a file is there than was read at once */
	bool said;
};

struct jit *jit_new(void)
{
	struct jit *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->names = jit_names_new();
	if (!j->names) {
		free(j);
		return NULL;
	}
	j->module.name = jit_name_other;
	j->module.path = "";
	j->module.anon = true;
	j->module.elf.fd = -1;
	return j;
}

void jit_free(struct jit *j)
{
	if (!j)
		return;
	jit_names_free(j->names);
	free(j);
}

static void forget(struct jit_process *p)
{
	for (int i = 0; i < JIT_KINDS; i++)
		jit_file_release(&p->files[i]);
	jit_code_release(&p->code);
}

void jit_process_free(struct jit_process *p)
{
	if (!p)
		return;
	forget(p);
	free(p);
}

static struct jit_process *process_of(const struct client *client, struct process *process)
{
	struct jit_process *p = process->jit;
	pid_t pid = process->pid;

	if (p)
		return p;
	p = process->jit = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	if (client->foreign_pids)
		pid = process->pidfd >= 0 ? proc_pid_of(process->pidfd) : -1;
	for (int i = 0; i < JIT_KINDS; i++)
		p->files[i].kind = (enum jit_kind)i;
	jit_owner_read(&p->owner, pid, process->pid);
	return p;
}

static void open_file(struct jit_process *p, struct jit_file *f, const struct maps *maps)
{
	int fd = -ENOENT;

	if (f->open)
		return;
	if (f->kind == JIT_PERFMAP) {
		fd = jit_open_perfmap(&p->owner);
	} else if (!f->dead && p->dump_generation != maps->generation) {
		fd = jit_open_dump(&p->owner, maps);
		p->dump_generation = maps->generation;
	}
	if (fd >= 0)
		jit_file_init(f, f->kind, fd);
	else if (fd != -ENOENT && !p->said)
		log_debug("process %d: its %s is not read: %s", (int)p->owner.own_pid,
			  f->kind == JIT_DUMP ? "jitdump" : "perf map", strerror(-fd));
	p->said |= fd < 0 && fd != -ENOENT;
}

static void read_files(struct jit_process *p, const struct maps *maps, uint64_t now_ns)
{
	p->read_ns = now_ns;
	p->more = false;
	for (int i = 0; i < JIT_KINDS; i++) {
		struct jit_file *f = &p->files[i];
		int got = 0;

		open_file(p, f, maps);
		if (f->open)
			got = jit_file_read(f, &p->code);
		p->more |= got > 0;
		if (got == -ESTALE) {
			/* Written anew: what the other file said is read again as well. */
			forget(p);
			p->dump_generation = 0;
			return;
		}
		if (got < 0) {
			log_debug("process %d: its %s makes no sense", (int)p->owner.own_pid,
				  i == JIT_DUMP ? "jitdump" : "perf map");
			jit_file_release(f);
			f->dead = true;
		}
	}
}

static struct jit_entry *find(struct jit_process *p, const struct maps *maps, uint64_t pc,
			      uint64_t now_ns)
{
	struct jit_entry *e = jit_code_find(&p->code, pc);
	bool any = p->files[JIT_PERFMAP].open || p->files[JIT_DUMP].open;
	uint64_t wait = p->more || (any && !e) ? JIT_MISSED_NS : JIT_READ_NS;

	if (p->read_ns && now_ns - p->read_ns < wait)
		return e;
	read_files(p, maps, now_ns);
	return jit_code_find(&p->code, pc);
}

/* The number of the entry's name; 0 if its file does not hold it any more. */
static uint32_t name_of(struct jit *j, const struct jit_process *p, const struct jit_entry *e)
{
	const struct jit_file *f = &p->files[e->source];
	char text[JIT_TEXT_MAX], debug[JIT_TEXT_MAX];
	ssize_t n = jit_file_text(f, e->text, text, e->length), m = 0;
	const char *file;
	size_t length;
	int64_t line;

	if (n <= 0)
		return 0;
	if (e->debug)
		m = jit_file_text(f, e->debug, debug, sizeof(debug));
	jitdump_debug((const uint8_t *)debug, m > 0 ? (size_t)m : 0, &file, &length, &line);
	return jit_names_put(j->names, text, (size_t)n, file, length, line);
}

bool jit_frame(struct jit *j, const struct client *client, struct process *process,
	       const struct maps *maps, uint64_t pc, uint64_t now_ns, struct frame *frame)
{
	struct jit_process *p = process_of(client, process);
	struct jit_entry *e = p ? find(p, maps, pc, now_ns) : NULL;

	if (e && !e->name)
		e->name = name_of(j, p, e);
	if (!e || !e->name)
		return false;
	if (!j->full && jit_names_count(j->names) == JIT_NAMES_MAX) {
		j->full = true;
		log_info("run-time code: more than %d names; further ones are \"%s\"",
			 JIT_NAMES_MAX, jit_name_other);
	}
	/* The same name is the same frame, whether execution is there or returns there. */
	*frame = (struct frame){&j->module, e->name, true};
	return true;
}

#if defined(__x86_64__)
/* sub $8,%rsp; call *%rcx; add $8,%rsp; ret: CPython 3.12 and 3.13 copy it for each function. */
enum { PYTHON_BYTES = 11, PYTHON_RETURN = 6, PYTHON_KEPT = 8 };

static bool is_python(uint64_t size, uint64_t at)
{
	return size == PYTHON_BYTES && at == PYTHON_RETURN;
}
#elif defined(__aarch64__)
enum { PYTHON_KEPT = 0 };

/* There it keeps a frame record. */
static bool is_python(uint64_t size, uint64_t at)
{
	return false;
}
#endif

int jit_kept(struct jit *j, const struct client *client, struct process *process,
	     const struct maps *maps, uint64_t pc, uint64_t now_ns)
{
	struct jit_process *p = process_of(client, process);
	struct jit_entry *e = p ? find(p, maps, pc - 1, now_ns) : NULL;

	if (!e || !is_python(e->end - e->start, pc - e->start))
		return -1;
	if (!e->name)
		e->name = name_of(j, p, e);
	return e->name && !strncmp(jit_names_get(j->names, e->name)->name, "py::", 4) ? PYTHON_KEPT
										      : -1;
}

bool jit_resolve(const struct frame *frame, struct symbol_frame *out)
{
	const struct jit_name *name;
	const struct jit *j;

	if (frame->module->name != jit_name_other)
		return false;
	j = (const struct jit *)((const char *)frame->module - offsetof(struct jit, module));
	name = jit_names_get(j->names, (uint32_t)frame->vaddr);
	*out = (struct symbol_frame){.name = name->name,
				     .system_name = name->name,
				     .file = name->file,
				     .start_line = name->line};
	return true;
}

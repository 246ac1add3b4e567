/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shim.c - constructor and destructor: decides whether this process is profiled, prepares everything
 * that the handler and the wrappers will need, and arms the main thread. BOOT: the C library is awake,
 * the program's own constructors may not have run; no thread, no descriptor and no allocation is left
 * behind.
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "shim/attach.h"
#include "shim/attribute.h"
#include "shim/config.h"
#include "shim/foreign.h"
#include "shim/inherit.h"
#include "shim/interpreter.h"
#include "shim/log.h"
#include "shim/observe.h"
#include "shim/process.h"
#include "shim/real.h"
#include "shim/sample.h"
#include "shim/self.h"
#include "shim/shim.h"
#include "shim/thread.h"
#include "shim/timer.h"
#include "shim/traceparent.h"
#include "shim/unload.h"
#include "shim/unwind.h"
#include "shim/wrap_signal.h"

#define AGENT_NAME "spanprof-agent"

extern char **environ;

static bool booted, active;
static struct config config;

/* What the agent may see of the host's environment: its own settings and how to reach a server. */
static bool for_agent(const char *variable)
{
	static const char *const prefixes[] = {
		"SPANPROF_",  "PYROSCOPE_",  "OTEL_",	      "http_proxy=",  "https_proxy=",
		"HTTPS_PROXY=", "no_proxy=", "NO_PROXY=",     "all_proxy=",   "ALL_PROXY=",
		"SSL_CERT_",  "CURL_CA_",    "DEBUGINFOD_",   "TZ=",	      "HOME=",
		"TMPDIR=",    "XDG_CACHE_HOME=", "ASAN_OPTIONS=", "UBSAN_OPTIONS="};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static void copy_environment(struct attach_plan *plan)
{
	size_t used = 0, n = 0;

	for (char **e = environ; e && *e && n < ATTACH_ENV_MAX; e++) {
		size_t length = strlen(*e) + 1;

		if (!for_agent(*e) || used + length > sizeof(plan->env_text))
			continue;
		memcpy(plan->env_text + used, *e, length);
		plan->envp[n++] = plan->env_text + used;
		used += length;
	}
	plan->envp[n] = NULL;
}

static uint64_t fnv1a(uint64_t hash, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3ULL;
	return hash;
}

/* What one agent can serve: one configuration, one version of the contract, one launcher's report. */
static uint64_t hash_of(const struct feed_config *feed)
{
	const char *report = getenv("SPANPROF_REPORT");
	uint64_t hash = fnv1a(0xcbf29ce484222325ULL ^ FEED_VERSION, feed, sizeof(*feed));

	return report ? fnv1a(hash, report, strlen(report)) : hash;
}

/* The agent lies beside this library. */
static bool find_agent(struct attach_plan *plan)
{
	Dl_info info;
	const char *slash;
	size_t n;

	if (!dladdr((void *)shim_active, &info) || !info.dli_fname)
		return false;
	slash = strrchr(info.dli_fname, '/');
	n = slash ? (size_t)(slash - info.dli_fname) + 1 : 0;
	if (*info.dli_fname != '/') {
		if (!getcwd(plan->agent_path, sizeof(plan->agent_path) / 2))
			return false;
		strcat(plan->agent_path, "/");
	}
	if (strlen(plan->agent_path) + n + sizeof(AGENT_NAME) > sizeof(plan->agent_path))
		return false;
	strncat(plan->agent_path, info.dli_fname, n);
	strcat(plan->agent_path, AGENT_NAME);
	return true;
}

static bool wanted(void)
{
	char executable[1024];
	ssize_t n = readlink("/proc/self/exe", executable, sizeof(executable) - 1);
	const char *preload = getenv("LD_PRELOAD");

	if (getauxval(AT_SECURE))
		return false;
	/* Valgrind aborts a program that clones as attaching must. */
	if (preload && strstr(preload, "vgpreload_"))
		return false;
	executable[n > 0 ? n : 0] = 0;
	config.feed = &attach_plan.config;
	return config_read(&config, executable);
}

static bool launched_eager(void)
{
	const char *pid = getenv(SHIM_EAGER_PID);

	return pid && atol(pid) == (long)getpid();
}

static bool prepare(void)
{
	if (!find_agent(&attach_plan)) {
		log_line(FEED_LOG_ERROR, "cannot tell where the library lies; not profiling");
		return false;
	}
	copy_environment(&attach_plan);
	attach_plan.config_hash = hash_of(&attach_plan.config);
	if (self_init() != 0) {
		log_line(FEED_LOG_ERROR, "no memory page for the process's state; not profiling");
		return false;
	}
	timer_configure(attach_plan.config.period_ns, SIGPROF);
	if (!signal_take()) {
		log_line(FEED_LOG_ERROR, "no signal for the timers; not profiling");
		return false;
	}
	process_watch_forks();
	interpreter_find();
	return true;
}

static void work_for(const struct trace_context *trace)
{
	struct feed_context context = {.flags = FEED_CONTEXT_IDS};

	memcpy(context.trace_id, trace->trace_id, sizeof(context.trace_id));
	memcpy(context.span_id, trace->span_id, sizeof(context.span_id));
	attribute_default(&context);
}

/*
 * TRACEPARENT, as the OpenTelemetry environment carrier has it; a CGI program's (RFC 3875) is in the
 * variable of its request's header. Where passed says what our parent worked on when it started us, the
 * variable may be no more than what that was started with itself; of the same trace, it is the nearer.
 */
static void take_context(const struct trace_context *passed)
{
	const char *value = getenv(getenv("GATEWAY_INTERFACE") ? "HTTP_TRACEPARENT" : "TRACEPARENT");
	struct trace_context parsed;

	if (!value || !traceparent_parse(value, strlen(value), &parsed) ||
	    !(parsed.flags & TRACE_FLAG_SAMPLED))
		return;
	if (!passed || memcmp(passed->trace_id, parsed.trace_id, sizeof(parsed.trace_id)) == 0)
		work_for(&parsed);
}

static void boot(char **argv)
{
	struct trace_context passed;
	uintptr_t low, high;
	bool is_passed;

	if (booted)
		return;
	booted = true;
	real_resolve();
	unload_init();
	is_passed = inherit_take(argv, &passed);
	if (is_passed)
		work_for(&passed);
	if (!wanted() || !prepare())
		return;
	active = true;
	take_context(is_passed ? &passed : NULL);
	if (config.eager || launched_eager())
		attach_now();
	thread_main_stack(argv, &low, &high);
	unwind_top = high;
	thread_start(low, high);
}

bool shim_active(void)
{
	boot(NULL);
	return active;
}

__attribute__((constructor)) static void shim_start(int argc, char **argv)
{
	int saved = errno;

	/* glibc passes main's arguments to constructors. */
	boot(argv);
	errno = saved;
}

/* Only the end of pid 1 takes the agent along: it must wait for the last flush, or lose it. */
__attribute__((destructor)) static void shim_end(void)
{
	int saved = errno;

	if (active) {
		OBSERVE(attribute_waited(thread));
		thread_settle();
		observe_say();
		if (self_page->pid == 1 && getpid() == 1)
			attach_goodbye(attach_plan.config.exit_timeout_ms);
	}
	errno = saved;
}

# spanprof: trace-aware continuous profiling of native programs that nobody recompiles.
#
# make            libspanprof.so and spanprof-agent, in build/
# make check      unit tests and the mechanical checks (layers, exports, signal safety, stack, docs)
# make test       everything: check, unit tests under sanitizers, real programs, real servers
# make attribution what share of samples is labelled right, program by program (ATTRIBUTION=quick: one load each)
# make demo       the main job on nginx, hottest functions per span printed
# make bench      costs, as ratios within one run
# make fuzz       every fuzz target, or those of FUZZ="ehframe module", for FUZZ_SECONDS of CPU each (needs clang);
#                 fuzz-keep adds to test/fuzz/corpus what was found since, fuzz-replay runs that once
# make cross-check  what can be checked of aarch64 on another machine (needs its compiler and qemu-user)
# make install    PREFIX (default /usr/local), DESTDIR
# Options: CC=clang, CC=aarch64-linux-gnu-gcc (with PKG_CONFIG for the agent's libraries), V=1, WERROR=1, SAN=address,undefined or SAN=thread (unit tests and agent only)

CC      ?= gcc
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
PYTHON  ?= python3
PKG_CONFIG ?= pkg-config
VERSION := 0.1.0

ifeq ($(origin CC),default)
CC := gcc
endif

empty :=
comma := ,
variant := $(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(filter clang%,$(notdir $(CC))),-clang)$(if $(filter aarch64-%,$(notdir $(CC))),-aarch64)
B := build$(variant)

# What fuzz targets link has a build of its own, with the counters that lead the fuzzer.
FUZZ_SAN := fuzzer-no-link,address,undefined
ifeq ($(SAN),$(FUZZ_SAN))
B := build-fuzz
endif

ifneq ($(V),1)
Q := @
say = @printf '  %-6s %s\n' $(1) $(2)
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla \
	-Wno-unused-parameter $(if $(WERROR),-Werror)
BASE := -std=gnu11 -O2 -g -MMD -MP -I. -D_GNU_SOURCE -DSPANPROF_VERSION='"$(VERSION)"' $(WARN) $(CFLAGS_EXTRA)
# TSan does not model fences; the objects with one are not run under it.
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)$(if $(filter thread,$(SAN)), -Wno-tsan)$(if $(findstring undefined,$(SAN)), -fno-sanitize-recover=undefined)

# The preloaded object: no lazy TLS, no lazy binding, nothing exported by accident, no stack
# protector (a child that shares the host's memory runs some of it), no call the compiler invents.
SHIM_CFLAGS := $(BASE) -fPIC -fvisibility=hidden -ftls-model=initial-exec -fno-plt \
	-fno-stack-protector -fno-omit-frame-pointer \
	$(if $(filter aarch64-%,$(shell $(CC) -dumpmachine)),-mno-outline-atomics)
# For scripts/check-stack: what each function uses of the stack, and whom it calls.
ifeq ($(findstring clang,$(CC)),)
SHIM_CFLAGS += -fcallgraph-info=su
endif
SHIM_LDFLAGS := -shared -Wl,-z,now -Wl,-z,relro -Wl,-z,nodelete -Wl,-z,noexecstack -Wl,--as-needed \
	-Wl,--no-undefined -Wl,-soname,libspanprof.so

AGENT_PKGS := libcurl libprotobuf-c zlib jansson libunwind-generic libdw libelf liblzma
AGENT_CFLAGS := $(BASE) $(SANFLAGS) $(shell $(PKG_CONFIG) --cflags $(AGENT_PKGS) 2>/dev/null)
# libiberty is a static library and has no pkg-config file.
AGENT_LIBS := $(shell $(PKG_CONFIG) --libs $(AGENT_PKGS) 2>/dev/null) -liberty -lpthread

shim_src  := $(sort $(wildcard shim/*.c))
agent_src := $(sort $(wildcard agent/*.c))
pprof_src := $(sort $(wildcard pprof/*.c))

shim_obj  := $(shim_src:%.c=$(B)/%.o)
agent_obj := $(agent_src:%.c=$(B)/%.o)
pprof_obj := $(pprof_src:%.c=$(B)/%.o) $(B)/pprof/profile.pb-c.o

# What unit tests link: the layers without the parts that interpose or that have a main().
# The shim's own objects are built again without its TLS and visibility flags so that sanitizers work.
core_src  := $(filter-out shim/wrap_%.c shim/shim.c,$(shim_src))
core_obj  := $(core_src:%.c=$(B)/core/%.o)
libcore   := $(B)/libcore.a
libagent  := $(B)/libagent.a
libpprof  := $(B)/libpprof.a

unit_src  := $(sort $(wildcard test/unit/*_test.c))
unit_bin  := $(unit_src:test/unit/%.c=$(B)/unit/%)
fuzz_src  := $(sort $(wildcard test/fuzz/fuzz_*.c))
FUZZ      ?= $(fuzz_src:test/fuzz/fuzz_%.c=%)
prog_src  := $(sort $(wildcard test/programs/*.c))
prog_bin  := $(prog_src:test/programs/%.c=$(B)/programs/%)

.PHONY: all install cross-check cross-objects check unit test demo bench fuzz clean programs checks integration attribution format
all: $(if $(SAN),,$(B)/libspanprof.so) $(B)/spanprof-agent

$(B)/libspanprof.so: $(shim_obj) $(B)/hpack_nghttp2.o $(B)/exports.map
	$(call say,LD,$@)
	$(Q)$(CC) $(SHIM_LDFLAGS) -Wl,--version-script=$(B)/exports.map -o $@ $(shim_obj) $(B)/hpack_nghttp2.o

# The members of the static libnghttp2 that its HPACK decoder needs, as one object that defines nothing
# but the decoder's entry points and asks libc for memcpy and its kin only: whatever else it would call,
# to end the process or to use its malloc, is bound to hpack.c's way out.
# NGHTTP2_A= (cross-check: the other machine's is not installed): the decoder refuses every connection.
NGHTTP2_A ?= $(shell pkg-config --variable=libdir libnghttp2 2>/dev/null)/libnghttp2.a
nghttp2_a := $(NGHTTP2_A)
hpack_entries := $(addprefix nghttp2_hd_inflate_,new2 hd2 end_headers change_table_size)
hpack_escapes := __assert_fail abort __stack_chk_fail __stack_chk_guard malloc calloc realloc free
$(B)/hpack_nghttp2.o: $(nghttp2_a) Makefile
	$(call say,HPACK,$@)
	$(Q)mkdir -p $(@D)
ifeq ($(nghttp2_a),)
	$(Q)printf '%s\n' $(foreach name,$(hpack_entries),'int $(name)(void) { return -901; }') \
		| $(CC) -fPIC -fvisibility=hidden -x c -c -o $@ -
else
	$(Q)$(CC) -r -nostdlib -o $@.all $(hpack_entries:%=-Wl,-u,%) $<
	$(Q)objcopy --strip-debug $(hpack_entries:%=--keep-global-symbol=%) \
		$(foreach name,$(hpack_escapes),--redefine-sym $(name)=hpack_escape_$(name)) $@.all $@
	$(Q)rm -f $@.all
	$(Q)! nm -u $@ | grep -Ev ' (hpack_escape_.*|mem(cpy|cmp|set|move))$$' || { rm -f $@; exit 1; }
endif

$(B)/exports.map: shim/exports.txt
	$(Q)mkdir -p $(@D)
	$(Q){ echo "{ global:"; sed 's/$$/;/' $<; echo "local: *; };"; } > $@

$(B)/spanprof-agent: $(agent_obj) $(pprof_obj)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) -Wl,-z,now -Wl,-z,relro -o $@ $^ $(AGENT_LIBS)

$(B)/shim/%.o: shim/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SHIM_CFLAGS) -c -o $@ $<

# libgcc calls it with a caller's arguments in the vector registers.
$(B)/shim/wrap_sigmask.o: SHIM_CFLAGS += -mgeneral-regs-only

$(B)/core/shim/%.o: shim/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(SANFLAGS) -c -o $@ $<

$(B)/agent/%.o: agent/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(AGENT_CFLAGS) -c -o $@ $<

$(B)/pprof/%.o: pprof/%.c $(B)/pprof/profile.pb-c.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(AGENT_CFLAGS) -I$(B) -c -o $@ $<

$(B)/pprof/profile.pb-c.c $(B)/pprof/profile.pb-c.h &: pprof/profile.proto
	$(call say,PROTO,$<)
	$(Q)mkdir -p $(B)
	$(Q)protoc-c --c_out=$(B) $<

$(B)/pprof/profile.pb-c.o: $(B)/pprof/profile.pb-c.c
	$(Q)$(CC) $(AGENT_CFLAGS) -I$(B) -w -c -o $@ $<

$(libcore): $(core_obj) $(B)/hpack_nghttp2.o
	$(Q)rm -f $@ && ar rcs $@ $^
$(libagent): $(filter-out $(B)/agent/main.o,$(agent_obj))
	$(Q)rm -f $@ && ar rcs $@ $^
$(libpprof): $(pprof_obj)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/unit/%: test/unit/%.c $(libcore) $(libagent) $(libpprof)
	$(call say,UNIT,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(AGENT_CFLAGS) -I$(B) -MF $@.d -o $@ $< $(libagent) $(libpprof) $(libcore) $(AGENT_LIBS) -lcmocka -lpthread

$(B)/fuzz/%: test/fuzz/%.c $(libcore) $(libagent) $(libpprof)
	$(call say,FUZZ,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(AGENT_CFLAGS) -fsanitize=fuzzer -MF $@.d -o $@ $< $(libagent) $(libpprof) $(libcore) \
		$(AGENT_LIBS) $(fuzz_libs_$*)
# The library's own server is the oracle.
fuzz_libs_fuzz_http2 := -lnghttp2
fuzz_libs_fuzz_http2_calls := -lnghttp2
fuzz-targets: $(FUZZ:%=$(B)/fuzz/fuzz_%)
.PHONY: fuzz-targets fuzz-replay fuzz-keep

# Small hosts, each a hazard. They are hosts: no spanprof code, plain flags; a few look into the region,
# by its contract (-I.).
$(B)/programs/%: test/programs/%.c
	$(call say,HOST,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g -D_GNU_SOURCE -I. -Wall -MMD -MF $@.d $(HOST_FLAGS) -o $@ $< -lpthread
$(B)/programs/split_stack: HOST_FLAGS := -fsplit-stack
# Libraries that hosts open: the same source, each with a function of its own name and frame size; some
# without a build-id, as many build systems still make them.
burners := $(foreach i,0 1 2 3 4 5 6 7,$(B)/programs/libburn_$(i).so) $(B)/programs/libburn_anonymous.so
$(burners): $(B)/programs/libburn_%.so: test/programs/library/burner.c
	$(call say,HOST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g -D_GNU_SOURCE -Wall -fPIC -shared -fomit-frame-pointer \
		-DBURN=burn_$* -DFRAME=$(if $(filter 1 3 5 7,$*),4096,16) \
		-Wl,--build-id=$(if $(filter anonymous,$*),none,sha1) -o $@ $<
# What a profiler does that unwinds in its signal handler by libunwind; for the tests of hosts that end it.
$(B)/programs/libpeer.so: test/programs/library/peer.c
	$(call say,HOST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g -D_GNU_SOURCE -Wall -fPIC -shared -o $@ $< -lunwind
programs: $(prog_bin) $(burners) $(B)/programs/libpeer.so

unit: $(unit_bin)
	$(Q)failed=; for t in $(unit_bin); do $$t || failed="$$failed $$t"; done; \
	if [ -n "$$failed" ]; then echo "unit tests failed:$$failed" >&2; exit 1; fi

checks: $(B)/libspanprof.so
	$(Q)scripts/check-layers
	$(Q)scripts/check-exports $(B)/libspanprof.so
	$(Q)scripts/check-sigsafe $(B)
	$(Q)$(PYTHON) scripts/check-stack $(B)
	$(Q)scripts/check-docs

check: unit checks

# The attribution matrix: a library to burn CPU in, its ways into programs, and a client.
attribution_dir := $(B)/attribution
PYTHON_SHARED := $(firstword $(wildcard /usr/lib/*/libpython3.*.so.1.0))
PERL_INCLUDE := $(patsubst %/perl.h,%,$(firstword $(wildcard /usr/lib/*/perl/5.*/CORE/perl.h)))
GRPC_INCLUDE := $(wildcard /usr/include/grpcpp/grpcpp.h)
PG_INCLUDE := $(firstword $(wildcard /usr/include/postgresql/*/server))
attribution_shape := $(filter-out %/serve.c,$(wildcard test/attribution/shapes/*.c))
attribution_bin := $(attribution_shape:test/attribution/shapes/%.c=$(attribution_dir)/shape_%) $(addprefix $(attribution_dir)/,libburn.so burn_file.so burn_lua.so burn_jni.so burn_udf.so burn.node burn_cgi load) \
	$(if $(wildcard $(PG_INCLUDE)/postgres.h),$(attribution_dir)/burn_pg.so) \
	$(if $(PYTHON_SHARED),$(attribution_dir)/python_shared) \
	$(if $(PERL_INCLUDE),$(attribution_dir)/burn_perl.so) \
	$(if $(GRPC_INCLUDE),$(attribution_dir)/grpc_server)

$(attribution_dir)/libburn.so: test/attribution/burn/burn.c
	$(call say,BURN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g -D_GNU_SOURCE -Wall -fPIC -shared -MMD -MF $@.d -o $@ $<
$(attribution_dir)/burn_pg.so: CPPFLAGS_BURN = -I$(PG_INCLUDE)
$(attribution_dir)/burn_perl.so: CPPFLAGS_BURN = -D_LARGEFILE_SOURCE -D_FILE_OFFSET_BITS=64 -I$(PERL_INCLUDE)
$(attribution_dir)/burn_%.so: test/attribution/burn/burn_%.c $(attribution_dir)/libburn.so
	$(call say,BURN,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g -D_GNU_SOURCE -fPIC -shared $(CPPFLAGS_BURN) -MMD -MF $@.d -o $@ $< \
		-L$(@D) -lburn -Wl,-rpath,'$$ORIGIN'
$(attribution_dir)/burn.node: $(attribution_dir)/burn_node.so
	$(Q)cp $< $@
$(attribution_dir)/burn_cgi: test/attribution/burn/burn_cgi.c $(attribution_dir)/libburn.so
	$(call say,BURN,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g -D_GNU_SOURCE -Wall -MMD -MF $@.d -o $@ $< -L$(@D) -lburn -Wl,-rpath,'$$ORIGIN'
$(attribution_dir)/python_shared: test/attribution/handlers/python_shared.c
	$(call say,HOST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g -Wall -o $@ $< $(PYTHON_SHARED)
$(attribution_dir)/grpc_server: test/attribution/handlers/grpc_server.cc $(attribution_dir)/libburn.so
	$(call say,HOST,$@)
	$(Q)$(CXX) -std=c++17 -O2 -g -Wall -MMD -MF $@.d -o $@ $< -L$(@D) -lburn -Wl,-rpath,'$$ORIGIN' \
		-Wl,--as-needed,--copy-dt-needed-entries -lgrpc++ -lgrpc
$(attribution_dir)/load: $(wildcard test/attribution/load/*.[ch])
	$(call say,LOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 -g -D_GNU_SOURCE -Wall -o $@ $(filter %.c,$^) -lnghttp2 -lssl -lcrypto -lpthread
$(attribution_dir)/shape_%: test/attribution/shapes/%.c test/attribution/shapes/serve.c $(attribution_dir)/libburn.so
	$(call say,SHAPE,$@)
	$(Q)$(CC) -std=gnu11 -O2 -g -D_GNU_SOURCE -Wall -o $@ $(filter %.c,$^) -L$(@D) -lburn -Wl,-rpath,'$$ORIGIN' \
		-Wl,--as-needed -luring -lnghttp2 -lgnutls -lssl -lcrypto -lpthread
attribution-programs: $(attribution_bin)
.PHONY: attribution-programs

attribution: all programs attribution-programs
	$(Q)$(PYTHON) test/attribution/matrix.py --write

integration: all programs attribution-programs
	$(Q)$(MAKE) --no-print-directory SAN=address,undefined all
	$(Q)$(PYTHON) -m pytest -q test/integration

test: all check
	$(Q)$(MAKE) --no-print-directory SAN=address,undefined unit
	$(Q)$(MAKE) --no-print-directory SAN=thread unit
	$(Q)$(MAKE) --no-print-directory fuzz-replay
	$(Q)$(MAKE) --no-print-directory cross-check
	$(Q)$(MAKE) --no-print-directory integration

FUZZ_SECONDS ?= 30
fuzz fuzz-replay fuzz-keep: fuzz%:
	$(Q)$(MAKE) --no-print-directory CC=clang SAN=$(FUZZ_SAN) fuzz-targets
	$(Q)$(PYTHON) test/fuzz/run.py $(or $(*:-%=%),fuzz) --seconds $(FUZZ_SECONDS) $(FUZZ:%=build-fuzz/fuzz/fuzz_%)

demo: all
	$(Q)scripts/demo

# Against the agent's and the shim's own objects, and libunwind for the comparison.
$(B)/bench/unwind_bench: test/bench/unwind_bench.c $(libcore) $(libagent)
	$(call say,BENCH,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(AGENT_CFLAGS) -fomit-frame-pointer -MF $@.d -o $@ $< $(libagent) $(libcore) $(AGENT_LIBS) -lunwind

$(B)/bench/symbol_bench: test/bench/symbol_bench.c $(libagent)
	$(call say,BENCH,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(AGENT_CFLAGS) -MF $@.d -o $@ $< $(libagent) $(AGENT_LIBS)

$(B)/bench/head_bench $(B)/bench/hpack_bench: $(B)/bench/%: test/bench/%.c $(libcore)
	$(call say,BENCH,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -MF $@.d -o $@ $< $(libcore)

bench: all programs $(B)/bench/unwind_bench $(B)/bench/symbol_bench $(B)/bench/head_bench $(B)/bench/hpack_bench
	$(Q)$(PYTHON) test/bench/bench.py

# aarch64 from another machine, as far as that goes without its libraries: the preloaded object, and
# the table compiler and the walk against libgcc's, in an emulator that lets a signal come between any
# two instructions. Once as compilers build, once with signed return addresses and few frame records.
CROSS        ?= aarch64-linux-gnu-
CROSS_ROOT   ?= /usr/aarch64-linux-gnu
CROSS_RUN    := QEMU_SINGLESTEP=1 QEMU_ONE_INSN_PER_TB=1 timeout 120 qemu-aarch64 -L $(CROSS_ROOT) -E LD_BIND_NOW=1
walk_agent   := module module_frames module_open debug_frame elf_file log maps cfa_program undescribed ehframe ehframe_insert \
	ehframe_machine ehframe_aarch64 ehframe_x86_64 ehframe_program ehframe_record ehframe_rules ehframe_scan
walk_src     := test/cross/walk_check.c $(wildcard shim/unwind*.c) shim/peek.c $(walk_agent:%=agent/%.c)
walk_headers := $(wildcard shim/*.h agent/*.h) test/unit/own_tables.h

$(B)/cross/walk_check: $(walk_src) $(walk_headers)
	$(call say,CROSS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE)) -o $@ $(walk_src)

$(B)/cross/walk_check_signed: $(walk_src) $(walk_headers)
	$(call say,CROSS,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(BASE)) -mbranch-protection=pac-ret+leaf -fomit-frame-pointer -o $@ $(walk_src)

cross-objects: $(B)/libspanprof.so $(B)/cross/walk_check $(B)/cross/walk_check_signed
	$(Q)scripts/check-exports $(B)/libspanprof.so
	$(Q)scripts/check-sigsafe $(B)

cross-check:
	$(Q)for tool in $(CROSS)gcc qemu-aarch64; do \
		command -v $$tool >/dev/null || { echo "cross-check: skipped: there is no $$tool"; exit 0; }; done; \
	$(MAKE) --no-print-directory CC=$(CROSS)gcc NGHTTP2_A= WERROR=1 SAN= cross-objects && \
	for t in walk_check walk_check_signed; do echo "== $$t"; $(CROSS_RUN) build-aarch64/cross/$$t 1500 || exit 1; done

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/spanprof $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 scripts/spanprof $(DESTDIR)$(PREFIX)/bin/spanprof
	install -m 755 $(B)/libspanprof.so $(B)/spanprof-agent $(DESTDIR)$(LIBDIR)/spanprof/
	install -m 644 shim/spanprof.h $(DESTDIR)$(PREFIX)/include/spanprof.h
	install -m 644 docs/spanprof.1 $(DESTDIR)$(PREFIX)/share/man/man1/spanprof.1

clean:
	rm -rf build build-*

-include $(shell find $(B) -name '*.d' 2>/dev/null)

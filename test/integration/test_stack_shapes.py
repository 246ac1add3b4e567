# SPDX-License-Identifier: Apache-2.0
"""Stacks that are not one thread's one stack: deep ones, small ones, swapped ones. Hosts behave as they
do bare, and the samples say who called whom, or that they do not know. Most of these stacks only the
handler can walk, so their hosts begin when the tables for that are there (test/programs/tables.h)."""
import pytest
from hosts import assert_same, assert_sampled, build, room  # noqa: F401

CUT = "[truncated stack]"
SECONDS = 0.4
# Of the samples: one may meet the moment at which newer tables take the place of the first ones.
NEARLY_ALL = 0.98


def fast(**settings):
    return {"env": {"SPANPROF_SAMPLE_RATE": "1000", **settings}}


def run(room, *args, **settings):  # noqa: F811
    bare, profiled = room.bare(*args), room.profiled(*args, **fast(**settings))
    assert_same(bare, profiled)
    return profiled


def stacks(result, function="host_burn"):
    """[(weight, stack)] of the samples in function, leaf first, without what is inlined."""
    found = []
    for profile in result.profiles:
        index = [name for name, _ in profile.sample_types].index("samples")
        found += [(s.values[index], tuple(f.function for f in s.frames if not f.inlined))
                  for s in profile.samples if function in s.stack]
    assert found, result
    return found


def share(found, condition):
    return sum(n for n, stack in found if condition(stack)) / sum(n for n, _ in found)


def assert_share(found, least, condition):
    got = share(found, condition)
    assert got >= least, (got, [(n, s[:3], s[-5:], len(s)) for n, s in sorted(found)
                               if not condition(s)][-3:])


# How many frames


@pytest.mark.parametrize("depth", [None, 1, 16, 512, 1024])
def test_a_deep_stack_is_cut_at_the_limit_and_says_so(room, depth):  # noqa: F811
    settings = {"SPANPROF_STACK_DEPTH": str(depth)} if depth else {}
    result = run(room, "deep_stack", 5000, SECONDS, **settings)
    assert_sampled(result)
    found = stacks(result, "descend" if depth != 1 else CUT)
    assert_share(found, 1, lambda stack: stack[-1] == CUT)
    assert_share(found, NEARLY_ALL if depth == 1024 else 1, lambda stack: len(stack) == (depth or 128) + 1)


def test_a_stack_that_fits_is_not_called_cut(room):  # noqa: F811
    result = run(room, "deep_stack", 900, SECONDS, SPANPROF_STACK_DEPTH="1024")
    assert_sampled(result)
    assert_share(stacks(result), NEARLY_ALL, lambda stack: stack[-1] == "_start" and
                 stack.count("descend") == 900 and "main" in stack)


# Other stacks


def whole_coroutine(stack):
    # The last frame is libc's __start_context, which its dynamic symbols do not name.
    return stack.count("descend") == 31 and stack[-2] == "coroutine_entry" and stack[-1] != CUT


@pytest.mark.parametrize("how", ["plain", "gone"])
def test_a_coroutine_is_walked_to_its_entry(room, how):  # noqa: F811
    result = run(room, "coroutines", how, SECONDS)
    assert_sampled(result, slack=0.1)
    assert_share(stacks(result), NEARLY_ALL, whole_coroutine)


def test_a_linked_stack_is_walked_to_the_first_one(room):  # noqa: F811
    result = run(room, "handmade_stack", "linked", SECONDS)
    assert_sampled(result)
    assert_share(stacks(result), NEARLY_ALL, lambda stack: stack.count("descend") == 21 and
                 "stack_entry" in stack and "switch_linked" in stack and stack[-1] == "_start")


def test_a_null_return_address_is_a_root(room):  # noqa: F811
    result = run(room, "handmade_stack", "root", SECONDS)
    assert_sampled(result)
    assert_share(stacks(result), NEARLY_ALL, lambda stack: stack.count("descend") == 21 and
                 stack[-1] == "stack_entry")


@pytest.mark.parametrize("how", ["lost", "vanishing"])
def test_a_stack_without_a_root_is_cut_there(room, how):  # noqa: F811
    result = run(room, "handmade_stack", how, SECONDS)
    assert_sampled(result)
    assert_share(stacks(result), NEARLY_ALL, lambda stack: stack.count("descend") == 21 and
                 stack[-2:] == ("stack_entry", CUT))


def test_a_split_stack_is_walked_over_its_segments(room):  # noqa: F811
    result = run(room, "split_stack", 90, SECONDS)
    assert_sampled(result)
    found = stacks(result)
    assert_share(found, NEARLY_ALL, lambda stack: stack.count("descend") == 90 and stack[-1] == "_start")
    assert_share(found, NEARLY_ALL, lambda stack: "__morestack" in stack)


def test_a_handler_on_an_alternate_stack_is_walked_to_what_it_interrupted(room):  # noqa: F811
    result = run(room, "signal_stack", SECONDS)
    assert_sampled(result)
    found = stacks(result)
    assert_share(found, NEARLY_ALL, lambda stack: "on_alternate_stack" in stack and
                 stack.count("interrupted") == 13 and CUT not in stack)


@pytest.mark.parametrize("how", ["own", "swapped"])
def test_the_handler_uses_a_kilobyte_of_the_stack_at_most(room, how):  # noqa: F811
    bare, profiled = room.bare("handler_stack", how, 0.5), run(room, "handler_stack", how, 0.5)
    assert_sampled(profiled, slack=0.1)
    # Bare, no signal comes in that time, so all of it is the profiler's.
    assert bare.figure("used") == 0
    frame, used = profiled.figure("frame"), profiled.figure("used")
    print(f"{how}: a signal's frame {frame:.0f} bytes, the handler {used - frame:.0f} more")
    assert frame < used <= frame + 1024, profiled


@pytest.mark.parametrize("before", ["roomy", "none"])
def test_no_tick_comes_on_a_tight_alternate_stack(room, before):  # noqa: F811
    assert_sampled(run(room, "alternate_late", before), slack=0.1)


@pytest.mark.parametrize("levels", [1, 20, 50])
def test_threads_with_the_smallest_stacks_survive(room, levels):  # noqa: F811
    assert_sampled(run(room, "small_stacks", levels), slack=0.1)


def test_samples_in_the_vdso_are_named_and_reach_the_root(room):  # noqa: F811
    result = run(room, "clock_loop", SECONDS)
    assert_sampled(result)
    found = [(s.values[0], s) for profile in result.profiles for s in profile.samples
             if s.frames[0].mapping == "[vdso]" and "tables_await" not in s.stack]
    assert sum(n for n, _ in found) > 50, result
    whole = [s for _, s in found if s.stack[0] == "_start" and "ask" in s.stack and
             s.frames[0].function.removeprefix("__vdso_") == "clock_gettime"]
    assert len(whole) >= NEARLY_ALL * len(found), [s.stack for _, s in found if s not in whole]

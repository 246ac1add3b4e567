# SPDX-License-Identifier: Apache-2.0
"""A program that another starts for a request works for that request, and sees nothing of how it knows."""
import pytest
from hosts import assert_same, build, room  # noqa: F401

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
FAST = {"SPANPROF_SAMPLE_RATE": "1000"}
WAYS = ["vfork", "posix_spawn", "posix_spawnp", "system", "popen", "execve", "execv", "execvp", "execvpe",
        "execl", "execlp", "execle", "fexecve", "execveat"]


def spans_of(result, function):
    """CPU seconds of the stacks that function is in, by the span and trace they are labelled with."""
    found = {}
    for profile in result.profiles:
        index = [name for name, _ in profile.sample_types].index("cpu")
        for sample in profile.samples:
            if function in sample.stack:
                key = tuple(dict(sample.labels).get(name) for name in ("trace_id", "span_id"))
                found[key] = found.get(key, 0) + sample.values[index] / 1e9
    return found


@pytest.mark.parametrize("way", WAYS)
def test_a_program_that_is_started_works_for_its_starters_span(room, way):  # noqa: F811
    bare, profiled = (run("starts", way, PARENT, env=FAST) for run in (room.bare, room.profiled))
    assert_same(bare, profiled)
    assert "child|two words| last is kept; seen 0\n" in profiled.stdout
    spans = spans_of(profiled, "host_burn")
    assert set(spans) == {(TRACE, SPAN)}
    assert spans[TRACE, SPAN] == pytest.approx(0.1, rel=0.3)


@pytest.mark.parametrize("way", ["posix_spawn", "system", "execve"])
def test_a_program_that_is_started_for_no_span_has_none(room, way):  # noqa: F811
    profiled = room.profiled("starts", way, f"00-{TRACE}-{SPAN}-00", env=FAST)
    assert set(spans_of(profiled, "host_burn")) == {(None, None)}


def test_a_program_that_is_excluded_passes_on_what_it_was_given(room):  # noqa: F811
    profiled = room.profiled("starts", "system", PARENT, env=FAST | {"SPANPROF_EXCLUDE": "*/*sh"})
    assert set(spans_of(profiled, "host_burn")) == {(TRACE, SPAN)}


def test_calls_that_fail_fail_alike(room):  # noqa: F811
    bare, profiled = (run("starts", "fail", PARENT, env=FAST) for run in (room.bare, room.profiled))
    assert_same(bare, profiled)
    assert "execve: -1 ENOENT\ntoo much: -1 E2BIG\n" in profiled.stdout
    assert "status: 768 \n" in profiled.stdout

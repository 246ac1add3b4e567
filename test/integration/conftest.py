# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests: real servers, one of each for a whole run. Tests keep apart by
the names of their services. What a machine cannot run is skipped by name, with the reason."""
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "pyroscope"))

import servers  # noqa: E402
import stub  # noqa: E402


@pytest.fixture(scope="session")
def pyroscope_v2():
    try:
        binary = servers.v2_binary()
    except servers.ServerError as e:
        pytest.skip(f"no Pyroscope 2.x: {e}")
    with servers.pyroscope_v2(binary) as server:
        yield server


@pytest.fixture(scope="session")
def pyroscope_v1():
    try:
        binary = servers.build_v1()
    except servers.ServerError as e:
        pytest.skip(f"no Pyroscope 1.x: {e}")
    with servers.pyroscope_v1(binary) as server:
        yield server


@pytest.fixture
def ingest_stub():
    with stub.Stub() as server:
        yield server

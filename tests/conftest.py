"""How all tests run. Those that ask for `engine` run on both engines, which is what keeps them one."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would the programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A drawn example that takes long on a busy machine is no failure: nothing here asserts a time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


RAY_WITH_THE_SLOW = {
    "test_async", "test_async_inputs", "test_auto_batches", "test_bounded_map", "test_host_setup",
    "test_incomplete_joins", "test_long_calls", "test_mistakes", "test_names", "test_rate", "test_reading_ahead",
    "test_run_views", "test_second_calls", "test_sending", "test_streaming", "test_subflows", "test_switch",
}  # fmt: skip
"""What these are about lies mostly on the caller's side or inside one replica, which both engines share: they run on
Ray with `make slow`, where each behaviour costs some two seconds, and on the local engine always."""


def engines_of(module: str) -> list[str]:
    only = os.environ.get("CONFORMANCE_ENGINE")
    if only:
        return [only]
    return ["local"] if module in RAY_WITH_THE_SLOW else ["local", "ray"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n 2` one process has all that needs Ray, so that there is one cluster, and the other one the rest."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "ray_cluster" in names or "[ray" in item.name or "integration" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("ray"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", engines_of(metafunc.module.__name__), indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of the engine under test; flows that name none use it."""
    name: str = request.param
    monkeypatch.setenv("PENGUIRAY_ENGINE", name)
    if name == "ray":
        request.getfixturevalue("ray_cluster")
    return name

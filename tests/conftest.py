"""How all tests run. Those that ask for `engine` run on both engines, which is what keeps them one."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# A drawn example that takes long on a busy machine is no failure: nothing here asserts a time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        only = os.environ.get("CONFORMANCE_ENGINE")
        metafunc.parametrize("engine", [only] if only else ["local", "ray"], indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of the engine under test; flows that name none use it."""
    name: str = request.param
    monkeypatch.setenv("PENGUIRAY_ENGINE", name)
    if name == "ray":
        request.getfixturevalue("ray_cluster")
    return name

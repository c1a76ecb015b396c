"""The fixtures of the pytest plugin.

`local_engine` runs every flow of a test in the test's own process, in milliseconds; `virtual_clock` does so in virtual
time. `ray_cluster` is one Ray on this
host, started once for the whole test session and shut down at its end.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from penguiray.config import prepare_ray
from penguiray.testing.virtual import VirtualClock, virtual_time

__all__ = ["local_engine", "ray_cluster", "virtual_clock"]

_CPUS = 2
_STORE_BYTES = 200 * 1024 * 1024


@pytest.fixture
def local_engine(monkeypatch: pytest.MonkeyPatch) -> str:
    """Flows that name no engine run on the local one. Gives the engine's name."""
    monkeypatch.setenv("PENGUIRAY_ENGINE", "local")
    monkeypatch.setenv("PENGUIRAY_PROGRESS", "0")
    return "local"


@pytest.fixture
def virtual_clock() -> Iterator[VirtualClock]:
    """Virtual time for the whole test, see `virtual_time`. Gives its clock."""
    with virtual_time() as clock:
        yield clock


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[str]:
    """A Ray of this test session's own, with 2 logical CPUs and a token that only this process knows of.

    Flows that name no engine and no address run on it. Gives its address.
    """
    folder = tempfile.mkdtemp(prefix="pgr-", dir="/tmp")
    changed = {
        "RAY_TMPDIR": folder,
        "RAY_AUTH_TOKEN": os.urandom(32).hex(),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PENGUIRAY_PROGRESS": "0",
    }
    before = {name: os.environ.get(name) for name in (*changed, "RAY_ADDRESS", "RAY_AUTH_MODE")}
    os.environ.update(changed)
    os.environ.pop("RAY_ADDRESS", None)
    prepare_ray(None)
    from penguiray.actors import session  # noqa: PLC0415 - ray reads the variables above when it is imported

    address = session.start_private(str(Path(folder) / "ray"), cpus=_CPUS, store_bytes=_STORE_BYTES)
    try:
        yield address
    finally:
        session.disconnect()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)

"""A Ray of its own for one process: private folder and token, gone with it."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.workloads import CPUS

__all__ = ["prepare_environment", "ray_session"]


@contextmanager
def prepare_environment() -> Iterator[None]:
    """Set what Ray reads when it is imported; the private folder is removed at the end."""
    folder = tempfile.mkdtemp(prefix="b", dir="/tmp")  # sockets in it need a short path
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ.update(
        RAY_TMPDIR=folder,
        RAY_AUTH_MODE="token",
        RAY_AUTH_TOKEN=secrets.token_hex(32),
        RAY_USAGE_STATS_ENABLED="0",
        PYTHONPATH=os.pathsep.join(paths),
    )
    os.environ.pop("RAY_ADDRESS", None)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ray_session() -> Iterator[None]:
    """Ray with `CPUS` CPUs on this host, for the length of the block."""
    import ray

    ray.init(
        address="local", num_cpus=CPUS, include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING
    )
    try:
        yield
    finally:
        ray.shutdown()

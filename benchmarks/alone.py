"""A fresh process for each measurement: how it is run and ended from outside, and what it does inside."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.measure import Measures
from benchmarks.workloads import CPUS

__all__ = ["Row", "give_row", "run_alone"]

Row: TypeAlias = dict[str, Any]
"""What one process found: measures, error, wall_s and the conditions; who runs it adds what it was."""

_ROOT = Path(__file__).resolve().parent.parent


def run_alone(module: str, arguments: Sequence[str], limit_s: float) -> Row:
    """Run a module that gives a row, in a process of its own; an error row if it ends without or takes too long."""
    command = [sys.executable, "-m", module, *arguments]
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        stdout, stderr = process.communicate(timeout=limit_s)
        row = _parse(stdout) or {"error": f"exit status {process.returncode}: {stderr[-300:]}"}
    except subprocess.TimeoutExpired:
        _end(process)
        row = {"error": f"not done within {limit_s:g} s"}
    except BaseException:
        _end(process)
        raise
    return {"measures": {}, **row, "wall_s": time.monotonic() - began}


def give_row(measure: Callable[[], Measures]) -> int:
    """Measure in this process and print the row as the last line of stdout, also when that failed.

    Returns:
        Exit status: 1 when it failed, else 0.
    """
    row: Row = {"measures": {}, "error": None, "cpus": _pin()}
    row["gc"] = {"is_enabled": gc.isenabled(), "threshold": gc.get_threshold(), "frozen": gc.get_freeze_count()}
    try:
        row["measures"] = measure()
    except Exception as error:  # noqa: BLE001 - any peer may fail in its own way, and the row says how
        traceback.print_exc()
        row["error"] = f"{type(error).__name__}: {error}"[:500]
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()
    return 0 if row["error"] is None else 1


def _pin() -> list[int]:
    """Keep this process and its children on the first `CPUS` CPUs, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        return []
    cpus = sorted(os.sched_getaffinity(0))[:CPUS]
    os.sched_setaffinity(0, cpus)
    return cpus


def _parse(stdout: str) -> Row | None:
    lines = stdout.strip().splitlines()
    try:
        row = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and what it started: an interrupt, so that Ray is shut down, then a kill of its group."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

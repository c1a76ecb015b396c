"""How long an import takes in an interpreter that has loaded nothing else."""

from __future__ import annotations

import subprocess
import sys
from statistics import median

from benchmarks.measure import Measures

__all__ = ["time_import"]


def time_import(statement: str, times: int) -> Measures:
    """Median of several fresh interpreters; one more goes first, so that files are cached and compiled."""
    code = f"import time; began = time.perf_counter(); {statement}; print(time.perf_counter() - began)"
    seconds = [_run(code) for _ in range(times + 1)][1:]
    return {"import_ms": median(seconds) * 1e3, "timed_s": sum(seconds)}


def _run(code: str) -> float:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])

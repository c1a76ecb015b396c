"""Whether a process computes can be seen from outside, on Linux."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from penguiray.actors.pulse import Pulse

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

PATIENCE_S = 30.0


def until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def test_a_busy_process_computes_and_a_stopped_or_ended_one_does_not() -> None:
    pulse = Pulse()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            assert until(lambda: pulse.computes(busy.pid))
            os.kill(busy.pid, signal.SIGSTOP)
            assert until(lambda: not pulse.computes(busy.pid))
            assert not any(pulse.computes(busy.pid) for _ in range(5))
            os.kill(busy.pid, signal.SIGCONT)
            assert until(lambda: pulse.computes(busy.pid))
        finally:
            busy.kill()
    assert not pulse.computes(busy.pid)


def test_a_process_that_waits_does_not_compute() -> None:
    pulse = Pulse()
    code = "import sys, time; print(1, flush=True); time.sleep(1_000)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as waiting:
        try:
            assert waiting.stdout is not None
            waiting.stdout.readline()
            assert until(lambda: not pulse.computes(waiting.pid))
        finally:
            waiting.kill()

"""Progress of a running flow on stderr: silent under 2 s, one line in place on a terminal, else a line every 10 s."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Self, TextIO

from penguiray.draw.amounts import counted
from penguiray.interrupts import Uninterrupted
from penguiray.observe.status import Status

__all__ = ["Progress", "line_of"]

_SILENT_S = 2.0
_TERMINAL_S = 0.25
_PLAIN_S = 10.0
_WIDTH = 100


def line_of(status: Status, *, waited_s: float = 0.0) -> str:
    """One line about a run, at most 100 columns; `waited_s` is how long somebody has waited for its start."""
    if status.state == "starting":
        return f"{status.name}: starting, {waited_s:.0f} s"[:_WIDTH]
    busiest = max(status.nodes, key=lambda node: node.busy)
    failed = f", {counted(status.dead_letters, 'dead letter')}" if status.dead_letters else ""
    rate = status.inputs_done / max(status.seconds, 1e-9)
    line = (
        f"{status.name}: {counted(status.inputs_done, 'input')} done, {status.inputs_live:,} under way{failed}, "
        f"{rate:,.1f}/s, {status.seconds:.0f} s; busiest {busiest.name} {busiest.busy:.0%}"
    )
    return line[:_WIDTH]


class Progress:
    """Shows a run's progress while its `with` block lasts."""

    def __init__(self, status: Callable[[], Status], *, is_on: bool, out: TextIO | None = None) -> None:
        self._status = status
        self._is_on = is_on
        self._out = out or sys.stderr
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._show, name="penguiray-progress", daemon=True)
        self._has_shown = False
        self._waited_s = 0.0

    def __enter__(self) -> Self:
        if self._is_on:
            with Uninterrupted():
                self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with Uninterrupted():
            self._is_over.set()
        if self._is_on:
            self._thread.join()
            if self._has_shown:
                self._write(end="\n")

    def _show(self) -> None:
        pause_s = _TERMINAL_S if self._out.isatty() else _PLAIN_S
        wait_s = _SILENT_S if self._out.isatty() else _PLAIN_S
        while not self._is_over.wait(wait_s):
            self._waited_s += wait_s
            self._write(end="" if self._out.isatty() else "\n")
            self._has_shown = True
            wait_s = pause_s

    def _write(self, end: str) -> None:
        start = "\r\x1b[K" if self._out.isatty() else ""
        self._out.write(f"{start}{line_of(self._status(), waited_s=self._waited_s)}{end}")
        self._out.flush()

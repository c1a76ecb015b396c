"""Ctrl-C held back while something is done that must not be left half done."""

from __future__ import annotations

import os
import signal
import threading
from importlib import import_module
from threading import get_ident
from types import FrameType
from typing import Any

__all__ = ["Uninterrupted"]

_set_handler = import_module("_signal").signal
"""What `signal.signal` calls. Up to Python 3.12 the conversion to enums that it adds takes 10 µs, this half a one."""


_main_thread = threading.main_thread().ident


def _note_fork() -> None:
    """The thread that forks is the main thread of the new process."""
    global _main_thread  # noqa: PLW0603 - a fact of the process
    _main_thread = get_ident()


os.register_at_fork(after_in_child=_note_fork)


class Uninterrupted:
    """A lock under which Ctrl-C does not raise: it does as soon as the lock is given back. It may be taken again.

    Python raises `KeyboardInterrupt` between any two steps of the main thread. Within the bookkeeping of a run it would
    leave a frame sent and not noted, or one of the locks inside `threading` and `concurrent.futures` held for ever.
    In other threads, where nothing is raised, this is a lock like others. Nothing that takes long may wait under it.
    """

    __slots__ = ("_before", "_came", "_depth", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._before: Any = None
        self._came = False

    def __enter__(self) -> None:
        # First the handler, then the lock: what comes before the one leaves nothing held, what comes behind is noted.
        if get_ident() == _main_thread:
            if not self._depth:
                self._came = False
                self._before = _set_handler(signal.SIGINT, self._note)
            self._depth += 1
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if get_ident() == _main_thread:
            self._depth -= 1
            if not self._depth:
                # None: a handler that Python cannot see, of a program that it is part of.
                _set_handler(signal.SIGINT, signal.default_int_handler if self._before is None else self._before)
                if self._came:
                    signal.raise_signal(signal.SIGINT)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True

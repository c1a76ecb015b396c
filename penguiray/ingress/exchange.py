"""Between the threads that send on a handle and those that read its results: who waits for whom, and who is woken."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penguiray.errors import Overloaded, RunClosed
from penguiray.ingress.call import State
from penguiray.ingress.check import InputCheck
from penguiray.ingress.engine import Engine, Signal
from penguiray.ingress.sent import Outcome
from penguiray.link.message import Facts

__all__ = ["Exchange", "Waiter"]

_log = logging.getLogger("penguiray")

HINT_S = 10.0
"""How long a reader waits, with nothing under way, before it is said that it may wait for nobody."""


class Waiter:
    """A thread or task that sends or reads, and the signal that wakes it; many may wait at once."""

    __slots__ = ("reads", "signal", "who")

    def __init__(self, signal: Signal, *, reads: bool) -> None:
        self.signal = signal
        self.reads = reads
        self.who = _caller()


class Exchange:
    """What a handle has sent and not read. It never waits: its owner does, by a waiter's signal."""

    def __init__(self, engine: Engine, check: InputCheck) -> None:
        """Open the call of the handle; raises what keeps a call from being opened."""
        self._engine = engine
        self._check = check
        self._waiters: list[Waiter] = []
        self._has_hinted = False
        with engine.lock:
            self._call = engine.ingress.open_sent(wake=self._wake)

    def checked(self, value: Any) -> list[list[Any]]:
        """An input as the ingress takes it; raises what its check raises."""
        return self._check.columns([value])

    def offer(self, columns: list[list[Any]], facts: Facts | None) -> str | None:
        """Send an input if there is room for it.

        Returns:
            Its trace id; None if the caller has to wait.

        Raises:
            Overloaded: Too much is unread, and nobody but the caller reads.
            RunClosed: The run takes nothing new.
        """
        engine, call = self._engine, self._call
        with engine.lock:
            if call.failure is not None:
                raise call.failure
            name = engine.plan.name
            if call.has_ended or call.is_closed:
                raise RunClosed(
                    f"run {name!r} takes no new messages: it was drained or stopped; flow.start() gives another run",
                    run=name,
                )
            if call.is_full or not engine.ingress.wants_input(call):
                if call.is_full or call.is_idle:
                    self._refuse_to_wait_for_oneself(name)
                return None
            trace_id = call.say(facts)
            engine.ingress.admit(call, columns)
            return trace_id

    def _refuse_to_wait_for_oneself(self, name: str) -> None:
        me = _caller()
        if not any(waiter.reads and waiter.who != me for waiter in self._waiters):
            unread = self._call.unread
            raise Overloaded(
                f"run {name!r}: {unread:,} results of what was sent are unread and nobody else reads them, so "
                f"send() would wait for ever; read run.results() in between or in another thread, or use run.map()",
                run=name,
                unread=unread,
            )

    def take(self, reader: Waiter, *, until_idle: bool) -> Outcome | State:
        """The next result for a reader; raises the failure of the run."""
        reader.who = _caller()
        with self._engine.lock:
            return self._call.next_outcome(until_idle=until_idle)

    @property
    def patience_s(self) -> float | None:
        """How long a reader waits before `note_silence` is due; None once something was said."""
        return None if self._has_hinted else HINT_S

    def note_silence(self) -> None:
        """A reader has waited for long: where nothing is under way, say once what it waits for."""
        with self._engine.lock:
            if not self._call.is_idle or self._has_hinted:
                return
            self._has_hinted = True
        _log.warning(
            "run %r: results() waits for more to be sent, and all that was sent is done; if nobody else sends on this "
            "handle, use results(until_idle=True)",
            self._engine.plan.name,
        )

    @contextmanager
    def waiting(self, *, reads: bool) -> Iterator[Waiter]:
        """Be woken by what happens, inside the block."""
        waiter = Waiter(self._engine.signal(), reads=reads)
        with self._engine.lock:
            self._waiters.append(waiter)
        try:
            yield waiter
        finally:
            with self._engine.lock:
                self._waiters.remove(waiter)
                self._wake()  # who waits for this reader may have to wait for itself now

    def _wake(self) -> None:
        for waiter in self._waiters:
            waiter.signal.set()


def _caller() -> object:
    """The task that runs here, or the thread."""
    try:
        return asyncio.current_task() or threading.get_ident()
    except RuntimeError:
        return threading.get_ident()

"""Between a caller's inputs and its results: reads as far as the window allows, and gives what has come."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Self

from penguiray.draw.amounts import in_seconds
from penguiray.errors import DeadlineExceeded, ManyResults
from penguiray.ingress.arguments import OnError
from penguiray.ingress.call import State, facts_for
from penguiray.ingress.check import InputCheck
from penguiray.ingress.engine import Engine

__all__ = ["Feed", "is_loop_running"]


_SLOW_S = 0.001
"""A read that takes longer than this may wait for something: results are looked after before the next one."""
_GROUP = 256
"""Inputs that are taken in together where reading them cannot wait."""


class Feed:
    """One call's inputs and results. It never waits: its owner does, by `signal`, blocking or not."""

    def __init__(
        self,
        engine: Engine,
        check: InputCheck,
        inputs: Iterable[Any],
        *,
        ordered: bool = False,
        window: int | None = None,
        timeout_s: float | None = None,
        trace_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        is_ask: bool = False,
    ) -> None:
        self._engine = engine
        self._check = check
        self._inputs = iter(inputs)
        # What is in memory already is read in groups; an iterator that may wait must not hold back what it gave.
        self._at_once = _GROUP if isinstance(inputs, list | tuple | range) else 1
        self._clock = engine.clock
        now = self._clock.now()
        self._deadline = None if timeout_s is None else now + timeout_s
        self._is_ask = is_ask
        self.signal = engine.signal()
        """Set when there is news for this call."""
        facts = facts_for(trace_id, headers, timeout_s, now)
        with engine.lock:
            self._call = engine.ingress.open_call(
                ordered=ordered, facts=facts, wake=self.signal.set, window=2 if is_ask else window,
                reads=self._at_once == 1, is_ask=is_ask,
            )  # fmt: skip

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the call's deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - self._clock.now())

    @property
    def has_results(self) -> bool:
        """Whether something can be taken."""
        return self._call.has_results or self._call.is_closed

    @property
    def has_ended(self) -> bool:
        """Whether no more inputs are taken: they have ended, or the run drains."""
        return self._call.has_ended or self._call.is_closed

    @property
    def is_drained(self) -> bool:
        """Whether everything was taken, and nothing failed as a whole."""
        return self._call.is_drained

    @property
    def wants_input(self) -> bool:
        """Whether so much of the window is free that reading inputs is worth while."""
        return self._engine.ingress.wants_input(self._call) and self._call.room >= self._call.window.size // 4

    def fill(self) -> bool:
        """Read inputs while the window has room, but half a window at most while results wait; False at the end."""
        most = max(1, self._call.window.size // 2)
        if not self.wants_input:
            return not self._call.is_drained
        while most and (room := self._engine.ingress.room(self._call)):
            has_results = self._call.has_results
            begun = self._clock.now()
            if self._at_once > 1:
                values = list(islice(self._inputs, min(self._at_once, room)))
                most -= has_results
                self.admit(values)
                goes_on = bool(values)
            else:
                count = min(_GROUP, room, most)
                most -= count * has_results
                goes_on = self._read(count, begun)
            if not goes_on:
                self.end_input()
                break
            if self._clock.now() - begun > _SLOW_S:
                break
        return not self._call.is_drained

    def _read(self, count: int, begun: float) -> bool:
        """Read inputs that may have to be waited for; False at their end.

        Each is admitted at once where it can be sent at once. The others wait here for what they would wait for there:
        when there is room on the way, whoever hears of it admits them, also while the next one is waited for.
        """
        ingress, read, check, now = self._engine.ingress, self._call.read, self._check.one, self._clock.now
        gathers = self._call.facts is None
        try:
            for value in islice(self._inputs, count):
                try:
                    checked = check(value)
                except ValueError as error:
                    self._admit_read()
                    self._admit_others([value], error)
                    return True
                count -= 1
                read.append(checked)
                if not (gathers and ingress.gathers):
                    self._admit_read()
                if now() - begun > _SLOW_S:
                    return True
            return not count
        finally:
            self._admit_read()

    def _admit_read(self) -> None:
        with self._engine.lock:
            self._engine.ingress.admit_read(self._call)

    def end_input(self) -> None:
        """No more inputs will come."""
        with self._engine.lock:
            self._engine.ingress.end_input(self._call, hint=not self._is_ask)

    def admit(self, values: list[Any]) -> None:
        """Check values and take them in; those before and behind one that does not fit are not held up by it."""
        try:
            columns = self._check.columns(values)
        except ValueError as error:
            if self._is_ask:
                raise
            self._admit_others(values, error)
        else:
            self._submit(columns)

    def _admit_others(self, values: list[Any], error: ValueError) -> None:
        """Take values in one by one, of which one or more do not fit."""
        if len(values) == 1:
            with self._engine.lock:
                error.add_note(f"It is about inputs[{self._call.positions}] of {self._engine.plan.name!r}.")
                self._engine.ingress.refuse(self._call, error)
            return
        for value in values:
            self.admit([value])

    def _submit(self, columns: list[list[Any]]) -> None:
        with self._engine.lock:
            self._engine.ingress.admit(self._call, columns)
            if self._is_ask:  # there is no other input
                self._engine.ingress.end_input(self._call, hint=False)

    def parts(self, on_error: OnError) -> Iterator[list[Any]]:
        """What has come so far, many results at a time; raises for a failed input if that is asked for."""
        while self.has_results and not self.is_drained:
            with self._engine.lock:
                part = self._call.take()
            if isinstance(part, State):
                return
            yield part.values
            self._call.release(part, self._clock.now())
            if part.error is not None and on_error == "raise":
                raise part.error
            if part.error is not None and on_error == "yield":
                yield [part.error]
            if self.wants_input:
                return

    def gather(self, results: list[Any]) -> bool:
        """Add what has come of an ask to a list; False when that was all."""
        call = self._call
        while call.has_results or call.failure is not None:
            with self._engine.lock:
                part = call.take()
            if isinstance(part, State):
                break
            results += part.values
            if part.error is not None:
                raise part.error
        most = self._engine.plan.options.max_live_messages
        if len(results) > most:
            raise ManyResults(
                f"the input gave more than {most:,} results; take them with stream(), or raise max_live_messages of "
                f"the flow's options",
                results=len(results),
            )
        return not call.is_drained

    def check_woken(self, woken: bool, timeout_s: float | None) -> None:
        """Raise if the wait for news ended without any; `timeout_s` is what the caller gave, also for the start."""
        if not woken and not self.has_results:
            assert timeout_s is not None  # without a limit no wait ends without news
            raise DeadlineExceeded(
                f"no result within {in_seconds(timeout_s)}; the input was given up", timeout_s=timeout_s
            )

    def close(self) -> None:
        """Give up what is under way; nothing if the call has ended."""
        if self._call.is_drained:
            return
        with self._engine.lock:
            self._engine.ingress.give_up(self._call)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_loop_running() -> bool:
    """Whether an event loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True

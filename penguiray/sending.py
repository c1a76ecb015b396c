"""The part of a run that works like a queue: some send, and some read, each at its own time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Generic, Literal, TypeVar, overload

from penguiray.errors import RunClosed
from penguiray.graph.spec import FlowSpec
from penguiray.ingress.arguments import OnError, check_on_error
from penguiray.ingress.call import State, facts_for
from penguiray.ingress.check import InputCheck
from penguiray.ingress.engine import Engine
from penguiray.ingress.exchange import Exchange
from penguiray.ingress.sent import Outcome
from penguiray.lifecycle import Lifecycle, warn_in_loop
from penguiray.results import AsyncResults, Results

__all__ = ["Sending"]

I = TypeVar("I")  # noqa: E741 - the input of a flow, as everywhere in this package
O = TypeVar("O")  # noqa: E741 - the output of a flow


class Sending(Lifecycle, Generic[I, O]):
    """Sends inputs one by one, and reads their results elsewhere or later."""

    def __init__(self, engine: Engine, spec: FlowSpec, *, began: float | None = None) -> None:
        super().__init__(engine, spec.name, began=began)
        self._spec = spec
        self._check: InputCheck | None = None
        self._exchange: Exchange | None = None

    def send(self, value: I, *, trace_id: str | None = None, headers: Mapping[str, str] | None = None) -> str:
        """Send one input; `results()` gives what comes of it.

        It waits while 1,000 inputs are under way (fewer if they are large), and while 10,000 results are unread that
        another thread or task reads.

        Args:
            value: The input, checked by pydantic against the first node's annotation.
            trace_id: What nodes see as `ctx.trace_id`. None: derived from the input's place in the run.
            headers: What nodes see as `ctx.headers`; `priority` there is `high`, `normal` or `low`.

        Returns:
            The trace id of the input, by which `results(with_trace=True)` and errors name it.

        Raises:
            Overloaded: 10,000 results are unread, and nobody else reads: waiting would never end.
            pydantic.ValidationError: The input does not fit; nothing was sent.
            RunClosed: The run takes nothing new.
        """
        warn_in_loop("send")
        self._wait_ready()
        self._refuse_if_closing()
        exchange = self._open_exchange()
        columns, facts = exchange.checked(value), facts_for(trace_id, headers, None, 0.0)
        sent = exchange.offer(columns, facts)
        if sent is None:
            with exchange.waiting(reads=False) as waiter:
                while (sent := exchange.offer(columns, facts)) is None:
                    waiter.signal.wait(None)
        return sent

    async def asend(self, value: I, *, trace_id: str | None = None, headers: Mapping[str, str] | None = None) -> str:
        """Twin of `send` for async code."""
        await self.await_ready()
        self._refuse_if_closing()
        exchange = self._open_exchange()
        columns, facts = exchange.checked(value), facts_for(trace_id, headers, None, 0.0)
        sent = exchange.offer(columns, facts)
        if sent is None:
            with exchange.waiting(reads=False) as waiter:
                while (sent := exchange.offer(columns, facts)) is None:
                    await waiter.signal.wait_async(None)
        return sent

    @overload
    def results(
        self,
        *,
        until_idle: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        with_trace: Literal[False] = False,
    ) -> Results[O]: ...
    @overload
    def results(
        self, *, until_idle: bool = False, on_error: Literal["yield"], with_trace: Literal[False] = False
    ) -> Results[O | Exception]: ...
    @overload
    def results(
        self, *, until_idle: bool = False, on_error: Literal["raise", "skip"] = "raise", with_trace: Literal[True]
    ) -> Results[tuple[str, O]]: ...
    @overload
    def results(
        self, *, until_idle: bool = False, on_error: Literal["yield"], with_trace: Literal[True]
    ) -> Results[tuple[str, O | Exception]]: ...
    def results(
        self, *, until_idle: bool = False, on_error: OnError = "raise", with_trace: bool = False
    ) -> Results[Any]:
        """Iterate over the results of what was sent on this handle, as they come.

        It waits for more until the run drains: what was sent before is finished, and its results are given, also
        after the drain. Each result is given once, to whoever reads first; several threads may read. Leaving the
        loop, by an error too, loses nothing: another `results()` goes on behind it.

        Args:
            until_idle: End as soon as all that was sent is done and its results are read, instead of waiting for
                more. What waits at a join for inputs that were not sent counts as done. For a thread that sends and
                then reads.
            on_error: What to do about an input that fails: raise, yield the error, or skip it. A `NodeError` has the
                input's trace id.
            with_trace: Give pairs of trace id and result, to tell which input a result is from.

        Raises:
            NodeError: A node failed for good and `on_error` is "raise".
            RunClosed: The run was stopped.
        """
        warn_in_loop("results")
        check_on_error(on_error)
        return Results(self._results(until_idle, on_error, with_trace))

    def _results(self, until_idle: bool, on_error: OnError, with_trace: bool) -> Iterator[Any]:
        self._wait_ready()
        if self._is_closing and self._exchange is None:
            return
        exchange = self._open_exchange()
        with exchange.waiting(reads=True) as waiter:
            while (outcome := exchange.take(waiter, until_idle=until_idle)) is not State.END:
                if isinstance(outcome, Outcome):
                    yield from _given(outcome, on_error, with_trace)
                elif not waiter.signal.wait(exchange.patience_s):
                    exchange.note_silence()

    @overload
    def aresults(
        self,
        *,
        until_idle: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        with_trace: Literal[False] = False,
    ) -> AsyncResults[O]: ...
    @overload
    def aresults(
        self, *, until_idle: bool = False, on_error: Literal["yield"], with_trace: Literal[False] = False
    ) -> AsyncResults[O | Exception]: ...
    @overload
    def aresults(
        self, *, until_idle: bool = False, on_error: Literal["raise", "skip"] = "raise", with_trace: Literal[True]
    ) -> AsyncResults[tuple[str, O]]: ...
    @overload
    def aresults(
        self, *, until_idle: bool = False, on_error: Literal["yield"], with_trace: Literal[True]
    ) -> AsyncResults[tuple[str, O | Exception]]: ...
    def aresults(
        self, *, until_idle: bool = False, on_error: OnError = "raise", with_trace: bool = False
    ) -> AsyncResults[Any]:
        """Twin of `results` for async code."""
        check_on_error(on_error)
        return AsyncResults(self._aresults(until_idle, on_error, with_trace))

    async def _aresults(self, until_idle: bool, on_error: OnError, with_trace: bool) -> AsyncIterator[Any]:
        await self.await_ready()
        if self._is_closing and self._exchange is None:
            return
        exchange = self._open_exchange()
        with exchange.waiting(reads=True) as waiter:
            while (outcome := exchange.take(waiter, until_idle=until_idle)) is not State.END:
                if isinstance(outcome, Outcome):
                    for result in _given(outcome, on_error, with_trace):
                        yield result
                elif not await waiter.signal.wait_async(exchange.patience_s):
                    exchange.note_silence()

    def _open_exchange(self) -> Exchange:
        with self._engine.lock:
            if self._exchange is None:
                self._exchange = Exchange(self._engine, self._input_check())
            return self._exchange

    def _input_check(self) -> InputCheck:
        if self._check is None:
            self._check = InputCheck(self._spec.shape.sources)
        return self._check

    def _refuse_if_closing(self) -> None:
        if self._is_closing:
            raise RunClosed(
                f"run {self.name!r} takes no new messages: it was drained or stopped; flow.start() gives another run",
                run=self.name,
            )


def _given(outcome: Outcome, on_error: OnError, with_trace: bool) -> Iterator[Any]:
    """What a reader is given for an outcome: one thing or nothing; raises its error if that is asked for."""
    if outcome.error is not None and on_error == "raise":
        raise outcome.error
    if outcome.error is None or on_error == "yield":
        found = outcome.value if outcome.error is None else outcome.error
        yield (outcome.trace_id, found) if with_trace else found

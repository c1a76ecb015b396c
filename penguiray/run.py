"""A flow that runs: what the user asks of it. Each call that may wait has a twin for async code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, NoReturn, TypeVar, overload

from penguiray.draw.html import beside
from penguiray.draw.svg import svg_of
from penguiray.errors import FlowError, ManyResults, NoResult, NotYetError
from penguiray.graph.picture import diagram_of
from penguiray.ingress.arguments import OnError, check_async_inputs, check_inputs, check_on_error
from penguiray.ingress.async_inputs import AsyncInputs
from penguiray.ingress.dead_letters import DeadLetter
from penguiray.ingress.feed import Feed
from penguiray.lifecycle import warn_in_loop
from penguiray.observe.status import Status, status_of
from penguiray.results import AsyncResults, Results
from penguiray.updating import Updating

__all__ = ["OnError", "Run"]

I = TypeVar("I")  # noqa: E741 - the input of a flow, as everywhere in this package
O = TypeVar("O")  # noqa: E741 - the output of a flow


class Run(Updating[I, O], Generic[I, O]):
    """A running flow.

    1. `flow.start()` gives it at once; replicas start behind it.
    2. The first call, `wait_ready()` or entering its `with` block waits until they are ready.
    3. `drain()` takes nothing new and finishes; leaving the block normally drains.
    4. `stop()` ends now; leaving the block by an exception stops. Both may be called again.

    Every admitted input ends exactly once in one outcome: results, error, cancelled, or expired. It is processed at
    least once; no result is delivered twice; effects inside nodes may repeat. What a replica held that dies is sent
    again, and another one takes its place; the loss of a join's or a fold's ends the run.

    A run may be used from several threads. A sync call made inside a running event loop blocks that loop; it warns
    once, except in a notebook.
    """

    # -- one input

    def ask(
        self,
        value: I,
        *,
        timeout_s: float | None = None,
        trace_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> O:
        """Send one input and wait for its one result.

        Args:
            value: The input, checked by pydantic against the first node's annotation.
            timeout_s: Longest wait in seconds; travels along as the message's deadline. None: no limit.
            trace_id: What nodes see as `ctx.trace_id`. None: derived from the input's place in the run.
            headers: What nodes see as `ctx.headers`; `priority` there is `high`, `normal` or `low`.

        Raises:
            NodeError: A node failed on it for good; the user's exception is the `__cause__`.
            NoResult, ManyResults: It ended with another number of results than one; see `ask_all`.
            DeadlineExceeded: The time ran out; what is still under way is dropped.
            Overloaded: Too many asks are under way, or others that found as much took longer lately than `timeout_s`.
                Nothing was sent: ask again later.
            pydantic.ValidationError: The input does not fit; nothing was sent.
            RunClosed: The run takes nothing new.
        """
        warn_in_loop("ask")
        return self._one_of(self._ask_all(value, timeout_s, trace_id, headers))

    async def aask(
        self,
        value: I,
        *,
        timeout_s: float | None = None,
        trace_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> O:
        """Twin of `ask` for async code."""
        return self._one_of(await self.aask_all(value, timeout_s=timeout_s, trace_id=trace_id, headers=headers))

    def ask_all(
        self,
        value: I,
        *,
        timeout_s: float | None = None,
        trace_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[O]:
        """Send one input and wait for all its results, 0 or more; otherwise like `ask`."""
        warn_in_loop("ask_all")
        return self._ask_all(value, timeout_s, trace_id, headers)

    def _ask_all(
        self, value: I, timeout_s: float | None, trace_id: str | None, headers: Mapping[str, str] | None
    ) -> list[O]:
        left_s = self._wait_ready(timeout_s)
        with self._feed((), timeout_s=left_s, trace_id=trace_id, headers=headers, is_ask=True) as feed:
            results: list[O] = []
            feed.admit([value])
            while feed.gather(results):
                feed.check_woken(feed.signal.wait(feed.remaining_s), timeout_s)
            return results

    async def aask_all(
        self,
        value: I,
        *,
        timeout_s: float | None = None,
        trace_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[O]:
        """Twin of `ask_all` for async code."""
        left_s = await self._await_ready(timeout_s)
        with self._feed((), timeout_s=left_s, trace_id=trace_id, headers=headers, is_ask=True) as feed:
            results: list[O] = []
            feed.admit([value])
            while feed.gather(results):
                feed.check_woken(await feed.signal.wait_async(feed.remaining_s), timeout_s)
            return results

    def stream(
        self,
        value: I,
        *,
        timeout_s: float | None = None,
        trace_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Results[O]:
        """Send one input and iterate over its results as they come: a generator's as it yields them.

        The input is sent when the first result is asked for. Ending the loop early gives up what is under way.

        Args:
            value: See `ask`.
            timeout_s: Longest time until the last result, in seconds. None: no limit.
            trace_id: See `ask`.
            headers: See `ask`.

        Raises:
            NodeError, DeadlineExceeded, Overloaded, pydantic.ValidationError, RunClosed: While it is iterated, as
                `ask` does; results that came before are given first.
        """
        warn_in_loop("stream")
        return Results(self._stream(value, timeout_s, trace_id, headers))

    def _stream(
        self, value: I, timeout_s: float | None, trace_id: str | None, headers: Mapping[str, str] | None
    ) -> Iterator[O]:
        left_s = self._wait_ready(timeout_s)
        with self._feed([value], timeout_s=left_s, trace_id=trace_id, headers=headers, is_ask=True) as feed:
            while feed.fill():
                for values in feed.parts("raise"):
                    yield from values
                if not feed.has_results:
                    feed.check_woken(feed.signal.wait(feed.remaining_s), timeout_s)

    def astream(
        self,
        value: I,
        *,
        timeout_s: float | None = None,
        trace_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncResults[O]:
        """Twin of `stream` for async code; leave an unfinished loop inside `async with`."""
        return AsyncResults(self._astream(value, timeout_s, trace_id, headers))

    async def _astream(
        self, value: I, timeout_s: float | None, trace_id: str | None, headers: Mapping[str, str] | None
    ) -> AsyncIterator[O]:
        left_s = await self._await_ready(timeout_s)
        with self._feed([value], timeout_s=left_s, trace_id=trace_id, headers=headers, is_ask=True) as feed:
            while feed.fill():
                for values in feed.parts("raise"):
                    for output in values:
                        yield output
                if not feed.has_results:
                    feed.check_woken(await feed.signal.wait_async(feed.remaining_s), timeout_s)

    def _one_of(self, results: list[O]) -> O:
        if len(results) == 1:
            return results[0]
        if not results:
            raise NoResult(f"flow {self.name!r} gave no result for the input; ask_all() gives however many there are")
        raise ManyResults(
            f"flow {self.name!r} gave {len(results)} results for the input; ask_all() gives them all",
            results=len(results),
        )

    # -- many inputs

    @overload
    def map(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Results[O]: ...
    @overload
    def map(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["yield"],
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Results[O | Exception]: ...
    def map(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: OnError = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Results[Any]:
        """Send many inputs and iterate over their results as they come.

        Inputs are read in the caller's thread, lazily: never more than the window's size beyond those whose results
        were all taken. Ending the loop early gives up what is under way.

        Args:
            inputs: Any iterable, also one without an end.
            ordered: Give results in the order of the inputs. Costs waiting for the slowest in the window.
            on_error: What to do about an input that fails: raise at its place, yield the error, or skip it. Results
                that it had given before are given. What a node gave up on is in `dead_letters()` either way.
            window: Inputs that may be under way. None: follows the flow's pace, from 4 times its concurrency.
            headers: What nodes see as `ctx.headers`; `priority` there is `high`, `normal` or `low`.

        Raises:
            NodeError: A node failed for good and `on_error` is "raise".
            pydantic.ValidationError: An input does not fit; treated like a node's failure.
        """
        check_inputs(inputs, "map")
        check_on_error(on_error)
        warn_in_loop("map")
        return Results(self._map(inputs, ordered=ordered, on_error=on_error, window=window, headers=headers))

    def _map(self, inputs: Iterable[I], *, on_error: OnError, **wishes: Any) -> Iterator[Any]:
        self._wait_ready()
        with self._feed(inputs, **wishes) as feed:
            while feed.fill():
                for values in feed.parts(on_error):
                    yield from values
                if not feed.has_results:
                    feed.signal.wait(0.0 if feed.wants_input else None)

    @overload
    def amap(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncResults[O]: ...
    @overload
    def amap(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["yield"],
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncResults[O | Exception]: ...
    def amap(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        *,
        ordered: bool = False,
        on_error: OnError = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncResults[Any]:
        """Twin of `map` for async code, whose inputs may also be an async iterable.

        That one is read by a task of its own, ahead as far as the window allows, and closed when the loop is left.
        """
        check_async_inputs(inputs, "amap")
        check_on_error(on_error)
        wishes = {"ordered": ordered, "window": window, "headers": headers}
        if isinstance(inputs, AsyncIterable):
            return AsyncResults(self._amap_awaited(inputs, on_error=on_error, **wishes))
        return AsyncResults(self._amap(inputs, on_error=on_error, **wishes))

    async def _amap(self, inputs: Iterable[I], *, on_error: OnError, **wishes: Any) -> AsyncIterator[Any]:
        await self.await_ready()
        with self._feed(inputs, **wishes) as feed:
            while feed.fill():
                for values in feed.parts(on_error):
                    for output in values:
                        yield output
                if not feed.has_results and not feed.wants_input:
                    await feed.signal.wait_async(None)
                else:
                    await asyncio.sleep(0)

    async def _amap_awaited(self, inputs: AsyncIterable[I], *, on_error: OnError, **wishes: Any) -> AsyncIterator[Any]:
        await self.await_ready()
        with self._feed((), **wishes) as feed:
            async with AsyncInputs(feed, inputs) as reading:
                while not feed.is_drained:
                    reading.go_on()
                    for values in feed.parts(on_error):
                        for output in values:
                            yield output
                    if feed.has_results:
                        await asyncio.sleep(0)
                    else:
                        await feed.signal.wait_async(None)

    def collect(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[O]:
        """All results of `map` as a list."""
        check_inputs(inputs, "collect")
        check_on_error(on_error)
        warn_in_loop("collect")
        return list(self._map(inputs, ordered=ordered, on_error=on_error, window=window, headers=headers))

    async def acollect(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> list[O]:
        """Twin of `collect` for async code."""
        results = self.amap(inputs, ordered=ordered, on_error=on_error, window=window, headers=headers)
        return [result async for result in results]

    def _feed(self, inputs: Iterable[I], **wishes: Any) -> Feed:
        self._refuse_if_closing()
        return Feed(self._engine, self._input_check(), inputs, **wishes)

    def cancel(self, trace_id: str) -> int:
        """Give up the inputs of a trace; does not wait.

        Each ends with `Cancelled` for whoever asked for it. What waits of them is dropped, async code is cancelled.
        Sync code cannot be ended: it returns in its own time, generators at their next message, and what it gives is
        dropped. Effects that it had are not undone.

        Args:
            trace_id: What nodes see as `ctx.trace_id`: given with the input, or derived from its place in the run.

        Returns:
            How many inputs were given up; 0 if none of that trace is under way.
        """
        with self._engine.lock:
            return self._engine.ingress.cancel(trace_id)

    # -- what it does

    def status(self) -> Status:
        """What the run did so far, as the replicas have reported it; does not wait."""
        engine = self._engine
        with engine.lock:
            return status_of(
                engine.plan,
                engine.ingress.counts(),
                state="draining" if self._is_closing and engine.state == "running" else engine.state,
                seconds=self._seconds,
                inputs_live=engine.ingress.roots_live,
                inputs_done=engine.ingress.roots_done,
                dead_letters=engine.ingress.dead_letters.total,
                longest_s=engine.watch.longest_s() if engine.state == "running" else {},
            )

    def dead_letters(self) -> list[DeadLetter]:
        """The newest 1,000 messages that nodes gave up on, oldest first; does not wait."""
        with self._engine.lock:
            return list(self._engine.ingress.dead_letters.kept)

    # -- not yet

    def explain(self) -> str:
        """Not yet: what limits the run. `str(run.status())` shows where it is busy."""
        raise NotYetError("run.explain() is not built yet; print(run.status()) shows where the run is busy")

    def _repr_html_(self) -> str:
        """What a notebook shows: the status at this moment, and a drawing of the flow."""
        stages = [stage.nodes for stage in self._engine.plan.stages]
        drawing = svg_of(diagram_of(self._spec_now.shape, f"flow {self.name}", stages))
        return beside(self.status()._repr_html_(), drawing)

    def __reduce__(self) -> NoReturn:
        raise FlowError(
            f"run {self.name!r} cannot be sent to another process: it belongs to the one that started it. Inside a "
            f"node use ctx.ask(flow, value), or await ctx.aask(flow, value) in an async one: it runs the flow there"
        )

    def __repr__(self) -> str:
        return f"<Run {self.name!r} {self._engine.state}>"

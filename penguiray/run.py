"""A flow that runs: what the user asks of it. Each call that may wait has a twin for async code."""

from __future__ import annotations

import time
import warnings
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, overload

from penguiray.config import is_notebook
from penguiray.errors import DeadlineExceeded, ManyResults, NoResult, NotYetError, RunClosed
from penguiray.graph.spec import FlowSpec
from penguiray.ingress.check import InputCheck
from penguiray.ingress.dead_letters import DeadLetter
from penguiray.ingress.engine import Engine
from penguiray.ingress.feed import Feed, OnError, check_on_error, is_loop_running
from penguiray.observe.status import Status, status_of
from penguiray.results import AsyncResults, Results

__all__ = ["OnError", "Run"]

I = TypeVar("I")  # noqa: E741 - the input of a flow, as everywhere in this package
O = TypeVar("O")  # noqa: E741 - the output of a flow


class Run(Generic[I, O]):
    """A running flow.

    1. `flow.start()` gives it at once; replicas start behind it.
    2. The first call, `wait_ready()` or entering its `with` block waits until they are ready.
    3. `drain()` takes nothing new and finishes; leaving the block normally drains.
    4. `stop()` ends now; leaving the block by an exception stops. Both may be called again.

    Every admitted input ends exactly once in one outcome: results, error, or expired. It is processed at least once;
    no result is delivered twice; effects inside nodes may repeat where a retry was asked for. Losing a replica fails
    the run, until replay is built.

    A run may be used from several threads. A sync call made inside a running event loop blocks that loop; it warns
    once, except in a notebook.
    """

    def __init__(self, engine: Engine, spec: FlowSpec) -> None:
        self._engine = engine
        self._spec = spec
        self._check: InputCheck | None = None
        self._is_closing = False
        self._began = self._ended = 0.0
        self._idle = engine.signal()

    @property
    def name(self) -> str:
        """Name of the flow."""
        return self._spec.name

    # -- lifecycle

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until every replica is ready.

        Args:
            timeout_s: Longest wait in seconds; None waits for as long as it takes.

        Raises:
            StartError: A constructor or `setup()` raised, or no Ray could be reached; the run is stopped.
            PlacementError: No host has what a node asks for; the run is stopped.
            DeadlineExceeded: The time ran out; the run goes on starting.
        """
        _warn_in_loop("wait_ready")
        self._wait_ready(timeout_s)

    def _wait_ready(self, timeout_s: float | None = None) -> None:
        while not self._is_ready():
            if not self._engine.started().wait(timeout_s):
                raise DeadlineExceeded(f"run {self.name!r} was not ready within {timeout_s:g} s", timeout_s=timeout_s)

    async def await_ready(self, timeout_s: float | None = None) -> None:
        """Twin of `wait_ready` for async code."""
        while not self._is_ready():
            if not await self._engine.started().wait_async(timeout_s):
                raise DeadlineExceeded(f"run {self.name!r} was not ready within {timeout_s:g} s", timeout_s=timeout_s)

    def _is_ready(self) -> bool:
        try:
            is_ready = self._engine.check_started()
        except Exception:
            self._engine.stop(finish=False)
            raise
        if is_ready and not self._began:
            self._began = time.monotonic()
            self._engine.ingress.on_idle = self._idle.set
        return is_ready

    def drain(self) -> None:
        """Take nothing new, finish what was admitted, then stop. A `map` that is being read reads no more inputs."""
        _warn_in_loop("drain")
        self._drain()

    def _drain(self) -> None:
        if self._begin_drain():
            self._wait_ready()
            self._seal()
            while not self._engine.ingress.is_idle:
                self._idle.wait(None)
        self._stop(finish=True)

    async def adrain(self) -> None:
        """Twin of `drain` for async code."""
        if self._begin_drain():
            await self.await_ready()
            self._seal()
            while not self._engine.ingress.is_idle:
                await self._idle.wait_async(None)
        await _in_thread(self._stop, finish=True)

    def _begin_drain(self) -> bool:
        first, self._is_closing = not self._is_closing, True
        return first

    def _seal(self) -> None:
        with self._engine.lock:
            self._engine.ingress.seal()

    def stop(self) -> None:
        """End now: inputs under way fail with `RunClosed`, replicas end, nothing is left behind."""
        self._stop(finish=False)

    async def astop(self) -> None:
        """Twin of `stop` for async code."""
        await _in_thread(self._stop, finish=False)

    def _stop(self, *, finish: bool) -> None:
        self._is_closing = True
        self._ended = self._ended or time.monotonic()
        with self._engine.lock:
            self._engine.ingress.fail(RunClosed(f"run {self.name!r} was stopped", run=self.name))
        self._engine.stop(finish=finish)

    def __enter__(self) -> Self:
        try:
            self._wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._drain()
        else:
            self.stop()

    async def __aenter__(self) -> Self:
        try:
            await self.await_ready()
        except BaseException:
            await self.astop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await (self.adrain() if kind is None else self.astop())

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
            headers: What nodes see as `ctx.headers`.

        Raises:
            NodeError: A node failed on it for good; the user's exception is the `__cause__`.
            NoResult, ManyResults: It ended with another number of results than one; see `ask_all`.
            DeadlineExceeded: The time ran out; what is still under way is dropped.
            pydantic.ValidationError: The input does not fit; nothing was sent.
            RunClosed: The run takes nothing new.
        """
        _warn_in_loop("ask")
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
        _warn_in_loop("ask_all")
        return self._ask_all(value, timeout_s, trace_id, headers)

    def _ask_all(
        self, value: I, timeout_s: float | None, trace_id: str | None, headers: Mapping[str, str] | None
    ) -> list[O]:
        self._wait_ready(timeout_s)
        with self._feed([value], timeout_s=timeout_s, trace_id=trace_id, headers=headers, is_ask=True) as feed:
            results: list[O] = []
            while feed.gather(results):
                feed.check_woken(feed.signal.wait(feed.remaining_s))
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
        await self.await_ready(timeout_s)
        with self._feed([value], timeout_s=timeout_s, trace_id=trace_id, headers=headers, is_ask=True) as feed:
            results: list[O] = []
            while feed.gather(results):
                feed.check_woken(await feed.signal.wait_async(feed.remaining_s))
            return results

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
            headers: What nodes see as `ctx.headers`.

        Raises:
            NodeError: A node failed for good and `on_error` is "raise".
            pydantic.ValidationError: An input does not fit; treated like a node's failure.
        """
        _warn_in_loop("map")
        return Results(self._map(inputs, ordered=ordered, on_error=on_error, window=window, headers=headers))

    def _map(self, inputs: Iterable[I], *, on_error: OnError, **wishes: Any) -> Iterator[Any]:
        check_on_error(on_error)
        self._wait_ready()
        with self._feed(inputs, **wishes) as feed:
            while feed.fill():
                for output in feed.outputs(on_error):
                    yield output
                if not feed.has_results and not feed.wants_input:
                    feed.signal.wait(None)

    @overload
    def amap(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncResults[O]: ...
    @overload
    def amap(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["yield"],
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncResults[O | Exception]: ...
    def amap(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: OnError = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncResults[Any]:
        """Twin of `map` for async code."""
        return AsyncResults(self._amap(inputs, ordered=ordered, on_error=on_error, window=window, headers=headers))

    async def _amap(self, inputs: Iterable[I], *, on_error: OnError, **wishes: Any) -> AsyncIterator[Any]:
        check_on_error(on_error)
        await self.await_ready()
        with self._feed(inputs, **wishes) as feed:
            while feed.fill():
                for output in feed.outputs(on_error):
                    yield output
                if not feed.has_results and not feed.wants_input:
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
        _warn_in_loop("collect")
        return list(self._map(inputs, ordered=ordered, on_error=on_error, window=window, headers=headers))

    async def acollect(
        self,
        inputs: Iterable[I],
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
        if self._is_closing:
            raise RunClosed(f"run {self.name!r} takes no new messages: it was drained or stopped", run=self.name)
        if self._check is None:
            self._check = InputCheck(self._spec.shape.sources)
        return Feed(self._engine, self._check, inputs, **wishes)

    # -- what it does

    def status(self) -> Status:
        """What the run did so far, as the replicas have reported it; does not wait."""
        engine, now = self._engine, time.monotonic()
        with engine.lock:
            return status_of(
                engine.plan,
                engine.ingress.counts(),
                state="draining" if self._is_closing and engine.state == "running" else engine.state,
                seconds=(self._ended or now) - self._began if self._began else 0.0,
                inputs_live=engine.ingress.roots_live,
                inputs_done=engine.ingress.roots_done,
                dead_letters=engine.ingress.dead_letters.total,
            )

    def dead_letters(self) -> list[DeadLetter]:
        """The newest 1,000 messages that nodes gave up on, oldest first; does not wait."""
        with self._engine.lock:
            return list(self._engine.ingress.dead_letters.kept)

    # -- not yet

    def stream(self, value: I) -> Iterator[O]:
        """Not yet: results of one input as they come. `map([value])` gives them too."""
        raise NotYetError(f"run.stream({value!r}) is not built yet; run.map([value]) gives results as they come")

    def send(self, value: I) -> str:
        """Not yet: send one input and come back for its results."""
        raise NotYetError(f"run.send({value!r}) is not built yet; run.map(inputs) sends and gives results in one loop")

    def results(self) -> Iterator[O]:
        """Not yet: results of what this handle has sent."""
        raise NotYetError("run.results() is not built yet; run.map(inputs) sends and gives results in one loop")

    def cancel(self, trace_id: str) -> None:
        """Not yet: abandon the inputs of a trace."""
        raise NotYetError(f"run.cancel({trace_id!r}) is not built yet; leaving a map's loop gives up what is under way")

    def explain(self) -> str:
        """Not yet: what limits the run. `str(run.status())` shows where it is busy."""
        raise NotYetError("run.explain() is not built yet; print(run.status()) shows where the run is busy")

    def __repr__(self) -> str:
        return f"<Run {self.name!r} {self._engine.state}>"


async def _in_thread(function: Any, **keywords: Any) -> None:
    import asyncio  # noqa: PLC0415 - sync programs do without it

    await asyncio.to_thread(function, **keywords)


def _warn_in_loop(call: str) -> None:
    if is_loop_running() and not is_notebook():
        twin = "await_ready" if call == "wait_ready" else f"a{call}"
        warnings.warn(
            f"run.{call}() blocks the event loop that runs here; use run.{twin}() instead", RuntimeWarning, stacklevel=3
        )

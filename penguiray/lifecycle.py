"""From started to ended: the part of a run that both its twins of every call share."""

from __future__ import annotations

import asyncio
import sys
import warnings
from types import TracebackType
from typing import Any, Self

from penguiray.config import is_notebook
from penguiray.draw.amounts import in_seconds
from penguiray.errors import DeadlineExceeded, RunClosed, StartError
from penguiray.graph.inside import inside_node
from penguiray.ingress.engine import Engine, Signal
from penguiray.ingress.feed import is_loop_running

__all__ = ["Lifecycle", "warn_in_loop"]


class Lifecycle:
    """Start, ready, drain, stop: waits for the engine, and remembers when the run began and ended."""

    def __init__(self, engine: Engine, name: str, *, began: float | None = None) -> None:
        """Take charge of an engine; `began` is when it was ready, if that was before now."""
        self._engine = engine
        self._name = name
        self._is_closing = False
        self._began = began
        self._ended: float | None = None
        self._drainers: list[Signal] = []

    @property
    def name(self) -> str:
        """Name of the run: the flow's, unless `start` was given another."""
        return self._name

    @property
    def _seconds(self) -> float:
        """Time since the run was ready, up to its end."""
        if self._began is None:
            return 0.0
        return (self._engine.clock.now() if self._ended is None else self._ended) - self._began

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until every replica is ready.

        Args:
            timeout_s: Longest wait in seconds; None waits for as long as it takes.

        Raises:
            StartError: A node's constructor or set-up raised, or no Ray could be reached; the run is stopped.
            PlacementError: No host has what a node asks for; the run is stopped.
            DeadlineExceeded: The time ran out; the run goes on starting.
        """
        warn_in_loop("wait_ready")
        self._wait_ready(timeout_s)

    def _wait_ready(self, timeout_s: float | None = None) -> float | None:
        """Wait until ready; gives what is left of the time."""
        until = None if timeout_s is None else self._engine.clock.now() + timeout_s
        try:
            while not self._is_ready():
                if not self._engine.started().wait(self._rest_s(until)):
                    raise self._late(timeout_s)
        except StartError:
            self._engine.stop(finish=False)
            raise
        return self._rest_s(until)

    async def await_ready(self, timeout_s: float | None = None) -> None:
        """Twin of `wait_ready` for async code."""
        await self._await_ready(timeout_s)

    async def _await_ready(self, timeout_s: float | None = None) -> float | None:
        until = None if timeout_s is None else self._engine.clock.now() + timeout_s
        try:
            while not self._is_ready():
                if not await self._engine.started().wait_async(self._rest_s(until)):
                    raise self._late(timeout_s)
        except StartError:
            await _in_thread(self._engine.stop, finish=False)
            raise
        return self._rest_s(until)

    def _rest_s(self, until: float | None) -> float | None:
        return None if until is None else max(0.0, until - self._engine.clock.now())

    def _late(self, timeout_s: float | None) -> DeadlineExceeded:
        assert timeout_s is not None  # without a limit no wait ends before the run is ready
        return DeadlineExceeded(f"run {self.name!r} was not ready within {in_seconds(timeout_s)}", timeout_s=timeout_s)

    def _is_ready(self) -> bool:
        """Whether all replicas are ready; raises what kept them from it."""
        is_ready = self._engine.check_started()
        if is_ready and self._began is None:
            self._began = self._engine.clock.now()
        return is_ready

    def drain(self) -> None:
        """Take nothing new, finish what was admitted, then stop. A `map` that is being read reads no more inputs."""
        warn_in_loop("drain")
        self._drain()

    def _drain(self) -> None:
        self._close_doors()
        try:
            if self._engine.state in {"starting", "running"}:
                self._wait_ready()
                idle = self._seal()
                while not self._engine.ingress.is_idle:
                    idle.wait(None)
        except BaseException:
            self.stop()
            raise
        self._stop(finish=True)

    async def adrain(self) -> None:
        """Twin of `drain` for async code."""
        self._close_doors()
        try:
            if self._engine.state in {"starting", "running"}:
                await self.await_ready()
                idle = self._seal()
                while not self._engine.ingress.is_idle:
                    await idle.wait_async(None)
        except BaseException:
            await self.astop()
            raise
        await _in_thread(self._stop, finish=True)

    def _close_doors(self) -> None:
        """Take nothing new. No input is read any more when the first call is refused."""
        if self._engine.state == "running":
            self._seal()
        self._is_closing = True

    def _seal(self) -> Signal:
        """Take nothing new; gives a signal for when the last call has ended. Several threads may drain at once."""
        idle = self._engine.signal()
        with self._engine.lock:
            self._drainers.append(idle)
            self._engine.ingress.on_idle = self._wake_drainers
            self._engine.ingress.seal()
        return idle

    def _wake_drainers(self) -> None:
        for idle in self._drainers:
            idle.set()

    def stop(self) -> None:
        """End now: inputs under way fail with `RunClosed`, replicas end, nothing is left behind."""
        self._stop(finish=False)

    async def astop(self) -> None:
        """Twin of `stop` for async code."""
        await _in_thread(self._stop, finish=False)

    def _stop(self, *, finish: bool) -> None:
        self._is_closing = True
        if self._ended is None:
            self._ended = self._engine.clock.now()
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


async def _in_thread(function: Any, **keywords: Any) -> None:
    await asyncio.to_thread(function, **keywords)


def warn_in_loop(call: str, handle: str = "run") -> None:
    """Say that a sync call blocks the event loop that runs in this thread, if one does and it is no notebook's.

    Nor that of the local engine with a sync node: that one is held up by the node anyway. To be called by what the
    user calls, whose line the warning names; what penguiray calls for that says nothing more.
    """
    if not is_loop_running() or is_notebook() or inside_node() == "sync" or _is_called_by_us():
        return
    twin = "await_ready" if call == "wait_ready" else f"a{call}"
    warnings.warn(
        f"{handle}.{call}() blocks the event loop that runs here; use {handle}.{twin}() instead",
        RuntimeWarning,
        stacklevel=3,
    )


def _is_called_by_us() -> bool:
    """Whether the method that asks was called by penguiray and not by the user."""
    frame = sys._getframe(3)  # noqa: SLF001 - the only way to the caller
    return bool(frame.f_globals.get("__name__", "").partition(".")[0] == "penguiray")

"""What a run needs of a shell: declared here, implemented by the local engine and by the one on Ray."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from penguiray.clock import Clock
from penguiray.graph.spec import NodeSpec
from penguiray.ingress.ingress import Ingress
from penguiray.observe.watch import CallWatch
from penguiray.plan.plan import Plan

__all__ = ["Engine", "EngineState", "Signal", "ThreadSignal", "Update"]

EngineState = Literal["starting", "running", "stopped", "failed"]


class Signal(Protocol):
    """Wakes one waiting call."""

    def set(self) -> None:
        """There is news; may be called from any thread, with the engine's lock held."""
        ...

    def wait(self, timeout_s: float | None) -> bool:
        """Block until there is news, and take note of it; False if the time ran out."""
        ...

    async def wait_async(self, timeout_s: float | None) -> bool:
        """Like `wait`, without blocking the loop."""
        ...


class Engine(Protocol):
    """A plan on its way through starting, running and stopping."""

    plan: Plan
    clock: Clock
    """Where deadlines and windows take their time from."""
    ingress: Ingress
    """Guarded by `lock`."""
    lock: AbstractContextManager[Any]
    watch: CallWatch
    """Which calls are under way. Guarded by `lock`."""

    @property
    def state(self) -> EngineState:
        """Where in its life it is."""
        ...

    def open(self) -> None:
        """Begin to start, and return at once."""
        ...

    def started(self) -> Signal:
        """Set once the start has ended, well or not; `check_started` says which."""
        ...

    def check_started(self) -> bool:
        """Whether all replicas are ready.

        Raises:
            StartError: A replica could not be started.
        """
        ...

    def signal(self) -> Signal:
        """A fresh signal for one call."""
        ...

    def update(self, new: NodeSpec) -> Update:
        """Begin to put another version in the place of the node of that name.

        Raises:
            FlowError: The node cannot be pickled, or the run is not this process's.
        """
        ...

    def stop(self, *, finish: bool) -> None:
        """End all replicas and wait for that; with `finish` their nodes' `close()` is called first. Idempotent."""
        ...


class Update:
    """What becomes of an update of a node, for who waits for it."""

    def __init__(self, plan: Plan, stage: int, signal: Signal) -> None:
        """It has not ended.

        Args:
            plan: The plan with the other version.
            stage: The stage that has it.
            signal: Set when it has ended.
        """
        self.plan = plan
        """The plan with the other version."""
        self.stage = stage
        """The stage that has it."""
        self.signal = signal
        """Set at the end."""
        self.is_done = False
        """Whether it has ended."""
        self.error: Exception | None = None
        """Why the run goes on as before, if it does."""

    def end(self, error: Exception | None) -> None:
        """It has ended, which is told once; from any thread."""
        if not self.is_done:
            self.error = error
            self.is_done = True
            self.signal.set()


class ThreadSignal:
    """Signal for engines that work in another thread than their callers.

    The news are an entry in a queue that is written in C. `threading.Event` is not: Ctrl-C between two of its steps
    leaves its lock held, and whoever sets it next waits for ever.
    """

    def __init__(self, *, latched: bool = False) -> None:
        """Make a signal; a latched one stays set, for news that many wait for."""
        self._latched = latched
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    @property
    def is_set(self) -> bool:
        """Whether there is news of which nobody took note."""
        return not self._news.empty()

    def set(self) -> None:
        """Wake whoever waits; costs little where nobody has looked since the last time."""
        if self.is_set and not self._waiters:
            return
        with self._lock:
            if not self.is_set:
                self._news.put(None)
            waiters, self._waiters = self._waiters, []
        for loop, future in waiters:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, future)

    def wait(self, timeout_s: float | None) -> bool:
        """Block the calling thread; Ctrl-C is noticed."""
        try:
            self._news.get(timeout=timeout_s)
        except queue.Empty:
            return False
        if self._latched:
            self._news.put(None)
        return True

    async def wait_async(self, timeout_s: float | None) -> bool:
        """Await on the running loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if not self.is_set:
                self._waiters.append((loop, future))
            else:
                future.set_result(None)
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            return False
        if not self._latched:
            self._take_note()
        return True

    def _take_note(self) -> None:
        with contextlib.suppress(queue.Empty):
            self._news.get_nowait()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

"""Who runs the loop of a local engine: the caller's thread while it waits, or a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from penguiray.clock import Clock
from penguiray.errors import FlowError
from penguiray.ingress.engine import ThreadSignal
from penguiray.ingress.feed import is_loop_running

__all__ = ["LoopSignal", "Pump"]


class Pump:
    """Runs a loop in the thread that began it, while that waits; in a thread of its own once anybody else is there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, run: str) -> None:
        """Nobody runs the loop yet; the name of the run is for errors."""
        self._loop = loop
        self._run = run
        self._thread: threading.Thread | None = None
        self._home: int | None = None
        self._pumped: asyncio.Event | None = None
        self._pumper: int | None = None
        self._pumping = threading.Condition()

    def begin(self) -> None:
        """The calling thread is the one that may run it; not if it runs a loop already."""
        self._home = threading.get_ident()
        if is_loop_running():
            self.leave_inline()

    def leave_inline(self) -> None:
        """Give the loop a thread of its own, from now on; a caller that runs it at this moment is relieved."""
        self.refuse_own_thread()
        with self._pumping:
            if self._pumped is not None:
                self._loop.call_soon_threadsafe(self._pumped.set)
                self._pumping.wait_for(lambda: self._pumped is None)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop.run_forever, name="penguiray-local", daemon=True)
                self._thread.start()

    def refuse_own_thread(self) -> None:
        """A node that waits for its own run would wait for itself.

        Raises:
            FlowError: The calling thread is the one that runs the loop.
        """
        if self._pumper == threading.get_ident() or threading.current_thread() is self._thread:
            raise FlowError(
                f"a node of run {self._run!r} may not ask, drain or stop that run: it would wait for itself"
            )

    def run_inline(self, done: asyncio.Event, timeout_s: float | None) -> None:
        """Run it in the calling thread until the event is set, the time has run out, or a thread takes over."""
        with self._pumping:
            if self._thread is not None:
                return
            self._pumped, self._pumper = done, threading.get_ident()
        waiter = self._loop.create_task(_waited(done, timeout_s))
        try:
            self._loop.run_until_complete(waiter)
        finally:
            waiter.cancel()
            with self._pumping:
                self._pumped = self._pumper = None
                self._pumping.notify_all()

    def works_inline(self) -> bool:
        """Whether it runs only while its caller waits; a caller elsewhere gives it a thread, which stays."""
        self.refuse_own_thread()
        if self._thread is None and (self._home != threading.get_ident() or is_loop_running()):
            self.leave_inline()
        return self._thread is None

    def call_soon(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have the loop call something, from whatever thread; nothing once it is closed."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def end(self, closing: Coroutine[Any, Any, None]) -> None:
        """Run the last thing that there is to do, and close the loop."""
        if self.works_inline():
            self._loop.run_until_complete(closing)
        else:
            asyncio.run_coroutine_threadsafe(closing, self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            assert self._thread is not None
            self._thread.join()
        self._loop.close()


class LoopSignal(ThreadSignal):
    """Signal of a local engine: whoever waits for it, works."""

    def __init__(self, pump: Pump, clock: Clock, *, latched: bool = False) -> None:
        super().__init__(latched=latched)
        self._pump = pump
        self._clock = clock
        self._done = asyncio.Event()

    def set(self) -> None:
        """Wake whoever waits."""
        if not self.is_set:
            super().set()
            self._pump.call_soon(self._done.set)

    def wait(self, timeout_s: float | None) -> bool:
        """Work until there is news, or wait for the engine's thread."""
        until = None if timeout_s is None else self._clock.now() + timeout_s
        while not self.is_set and self._pump.works_inline():
            rest_s = None if until is None else max(0.0, until - self._clock.now())
            self._done.clear()
            self._pump.run_inline(self._done, rest_s)
            if rest_s is not None and until is not None and self._clock.now() >= until:
                break
        if self.is_set or self._pump.works_inline():
            return super().wait(0.0)
        return super().wait(None if until is None else max(0.0, until - self._clock.now()))

    async def wait_async(self, timeout_s: float | None) -> bool:
        """Wait for the engine's thread."""
        self._pump.leave_inline()
        return await super().wait_async(timeout_s)


async def _waited(done: asyncio.Event, timeout_s: float | None) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await done.wait()
    except TimeoutError:
        return False
    return True

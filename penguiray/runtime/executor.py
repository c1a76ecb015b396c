"""Where a user's sync code runs: in the loop's own thread, or in threads beside it. Async code always runs on the loop.

In a replica process the threads keep a busy function from delaying credit, health and results. In the local engine code
runs inline, in the caller's thread, so breakpoints and profilers see it there; a node with a time-out gets threads
even there, since nothing else can notice that it overruns.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Executor as FutureExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol

from penguiray.errors import PenguirayError
from penguiray.graph.inside import CallKind, enter_node
from penguiray.runtime.home import Home

__all__ = ["OVERRUN_GRACE_S", "Executor", "InlineExecutor", "StuckError", "ThreadExecutor", "as_error", "harmless"]

OVERRUN_GRACE_S = 5.0
"""How long a function may go on past its time-out before its replica is given up."""

_RELAY_LIMIT = 1_000
_END: Any = object()


class StuckError(PenguirayError):
    """A sync function did not return within 5 s of its time-out, so its thread is lost, and the replica with it."""


class Executor(Protocol):
    """Runs sync code for one stage."""

    @property
    def is_here(self) -> bool:
        """Whether a call may be made on the loop now, since all calls are made in the thread that runs it."""
        ...

    async def ready(self) -> None:
        """Wait until a call could begin.

        Raises:
            StuckError: Every thread is held by a function that overran its time-out by more than the grace.
        """
        ...

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function and give what it returns or raise what it raises."""
        ...

    def call_here(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function on the loop itself, which does nothing else meanwhile."""
        ...

    def stream(self, function: Callable[..., Iterator[Any]], *arguments: Any) -> AsyncIterator[list[Any]]:
        """Iterate what a function returns; gives items in groups, each as soon as somebody takes it."""
        ...

    def close(self) -> None:
        """Take no more calls; what runs is left to finish by itself."""
        ...


class InlineExecutor:
    """Runs code where it is awaited, all of it in one context."""

    __slots__ = ("_context",)

    is_here = True

    def __init__(self, kind: CallKind = "sync") -> None:
        """Prepare for the code of nodes of this kind."""
        self._context = copy_context()
        self._context.run(enter_node, kind)

    async def ready(self) -> None:
        """A call can always begin."""

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function here and now."""
        return self.call_here(function, *arguments)

    def call_here(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function here and now."""
        try:
            return self._context.run(function, *arguments)
        except Exception:
            raise
        except BaseException as error:
            raise as_error(error) from error

    async def stream(self, function: Callable[..., Iterator[Any]], *arguments: Any) -> AsyncIterator[list[Any]]:
        """Iterate here; each item is its own group."""
        try:
            items = iter(self._context.run(function, *arguments))
            while (item := self._context.run(next, items, _END)) is not _END:
                yield [item]
        except Exception:
            raise
        except BaseException as error:
            raise as_error(error) from error

    def close(self) -> None:
        """Nothing to close."""


class ThreadExecutor:
    """Runs code in a fixed number of daemon threads, each call in the first that is free; or in the loop's home."""

    def __init__(self, threads: int, name: str, home: Home | None = None) -> None:
        """Start threads of that name; none where there is a home, which is as good as one."""
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._desk = _Desk(self._jobs.put if home is None else lambda job: home.call(partial(_do, job)))
        self._home = home
        self._places = threads
        self._held = 0
        self._freed = asyncio.Event()
        self._overrunning: dict[_Job, float] = {}
        self._threads = [
            threading.Thread(target=_work, args=(self._jobs,), name=f"{name}-{number}", daemon=True)
            for number in range(threads if home is None else 0)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_here(self) -> bool:
        """See `Executor`."""
        return self._home is not None and self._home.is_here

    async def ready(self) -> None:
        """Wait for a thread; gives up when a function has overrun its time-out by more than the grace."""
        while True:
            patience_s = self._patience_s()
            if patience_s is not None and patience_s <= 0.0:
                raise StuckError(f"a function has not returned {OVERRUN_GRACE_S:g} s after its time-out")
            if self._held < self._places:
                return
            self._freed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._freed.wait()

    def _patience_s(self) -> float | None:
        """Seconds until the oldest overrunning call is past its grace; None if there is none."""
        if not self._overrunning:
            return None
        return min(self._overrunning.values()) + OVERRUN_GRACE_S - asyncio.get_running_loop().time()

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in a thread. If the wait is cancelled the function runs on, and its thread is missed."""
        loop = asyncio.get_running_loop()
        job = _Job(function, arguments, loop)
        self._held += 1
        try:
            result: Any = await loop.run_in_executor(self._desk, job)
        except asyncio.CancelledError:
            if job.claim() or job.is_over:
                self._release(job)
            else:
                self._overrunning[job] = loop.time()
                job.on_over = self._release
            raise
        except BaseException:
            self._release(job)
            raise
        self._release(job)
        return result

    def call_here(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function on the loop itself, which it does not see: it may run another one, as it may in a thread."""
        assert self._home is not None  # else it is never here
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)  # noqa: SLF001 - exported for who runs loops
        try:
            return self._home.context.run(function, *arguments)
        except Exception as error:
            if isinstance(error, StopIteration):
                raise harmless(error) from error
            raise
        except BaseException as error:
            raise harmless(error) from error
        finally:
            asyncio._set_running_loop(loop)  # noqa: SLF001 - as above

    def _release(self, job: _Job) -> None:
        self._held -= 1
        self._overrunning.pop(job, None)
        self._freed.set()

    async def stream(self, function: Callable[..., Iterator[Any]], *arguments: Any) -> AsyncIterator[list[Any]]:
        """Iterate in a thread, which waits while 1,000 items are not taken."""
        relay = _Relay(asyncio.get_running_loop())
        pump = asyncio.ensure_future(self.call(relay.pump, function, arguments))
        try:
            while group := await relay.take():
                yield group
            await pump
        finally:
            relay.abandon()
            pump.cancel()
            await asyncio.wait([pump])

    def close(self) -> None:
        """Let each thread end after its current call."""
        for _ in self._threads:
            self._jobs.put(None)


class _Job:
    """A call, between the loop that asked for it and the thread that makes it."""

    __slots__ = ("_arguments", "_claims", "_function", "_loop", "future", "is_over", "on_over")

    def __init__(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._function = function
        self._arguments = arguments
        self._loop = loop
        self._claims = [True]
        self.future: asyncio.Future[Any] = loop.create_future()
        self.is_over = False
        """Whether it was made, as far as the loop knows."""
        self.on_over: Callable[[_Job], None] | None = None
        """Told on the loop when it was made and nobody waits for it any more."""

    def claim(self) -> bool:
        """Whether it is the caller's, to make it or to leave it: that of the first who asks, in whatever thread."""
        try:
            return self._claims.pop()
        except IndexError:
            return False

    def __call__(self) -> None:
        """Call the function, in a thread of its own."""
        try:
            result = self._function(*self._arguments)
        except BaseException as error:  # noqa: BLE001 - the border to user code: everything goes to who asked
            _call_soon(self._loop, self._end, None, harmless(error))
        else:
            _call_soon(self._loop, self._end, result, None)

    def _end(self, result: Any, error: Exception | None) -> None:
        self.is_over = True
        if self.on_over is not None:
            self.on_over(self)
        if self.future.cancelled():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)


class _Desk(FutureExecutor):
    """Takes jobs for the threads. It is an executor so that the loop itself knows of the work that it waits for.

    What it gives is the loop's own future: `run_in_executor` takes that as it is, and copies nothing between two.
    """

    def __init__(self, take: Callable[[_Job], None]) -> None:
        self._take = take

    def submit(self, job: Any, /, *_arguments: Any, **_keywords: Any) -> Any:
        self._take(job)
        return job.future


def _work(jobs: queue.SimpleQueue[_Job | None]) -> None:
    enter_node("sync")
    while (job := jobs.get()) is not None:
        _do(job)
        del job


def _do(job: _Job) -> None:
    if job.claim():
        job()


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: Any) -> None:
    """Have a loop call something, unless it was closed: then nobody waits for it any more."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)


def _wrapped(error: BaseException) -> RuntimeError:
    wrapped = RuntimeError(f"the function raised {error!r}")
    wrapped.__cause__ = error
    return wrapped


def harmless(error: BaseException) -> Exception:
    """Like `as_error`; in a thread of ours nothing may be raised on."""
    if not isinstance(error, KeyboardInterrupt | GeneratorExit):
        return as_error(error)
    return _wrapped(error)


def as_error(error: BaseException) -> Exception:
    """What user code raised, in a harmless form: whatever it is, it is one message's failure.

    A future refuses StopIteration; SystemExit, CancelledError and the panics of extension modules would end the loop.
    Ctrl-C and the closing of a generator are not the function's: they are raised on.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        raise error
    return _wrapped(error)


class _Relay:
    """Items from a thread to a loop: bounded, in order, woken once for many."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: deque[Any] = deque()
        self._room = threading.Condition()
        self._news = asyncio.Event()
        self._is_over = False
        self._is_abandoned = False

    def pump(self, function: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> None:
        """Iterate in the calling thread until the end, an error, or `abandon`."""
        try:
            items = iter(function(*arguments))
            for item in items:
                with self._room:
                    self._room.wait_for(lambda: len(self._items) < _RELAY_LIMIT or self._is_abandoned)
                    if self._is_abandoned:
                        break
                    self._items.append(item)
                    is_first = len(self._items) == 1
                if is_first:
                    self._wake()
            if self._is_abandoned and isinstance(items, Generator):
                items.close()
        finally:
            self._is_over = True
            self._wake()

    def _wake(self) -> None:
        _call_soon(self._loop, self._news.set)

    async def take(self) -> list[Any]:
        """Wait for items and take all there are; an empty list is the end."""
        while True:
            self._news.clear()
            is_over = self._is_over
            with self._room:
                group = list(self._items)
                self._items.clear()
                self._room.notify()
            if group or is_over:
                return group
            await self._news.wait()

    def abandon(self) -> None:
        """Nobody takes any more: the thread stops at its next item."""
        with self._room:
            self._is_abandoned = True
            self._room.notify()

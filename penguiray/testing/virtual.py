"""Time that passes only while nothing can happen: an hour of waiting in a flow takes a test no time.

The event loops of one `VirtualClock` have its time. When every loop that runs has nothing to do, and no thread works
for one of them, the clock jumps to the next moment that somebody waits for. So what a node computes takes no time at
all, and what it awaits takes exactly as long as it says.

Source: the autojump clock of trio's testing module; here for several loops, and with threads that are waited for.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import selectors
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Protocol, TypeVar, TypeVarTuple, Unpack

from penguiray.config import staying_local
from penguiray.errors import FlowError, PenguirayError
from penguiray.graph.spec import FlowSpec
from penguiray.local import LocalEngine
from penguiray.plan.compile import compile_plan
from penguiray.testing.faults import Faults

__all__ = ["VirtualClock", "current_clock", "virtual_time"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_PATIENCE_S = 5.0


@contextmanager
def virtual_time(
    *, seed: int | None = None, patience_s: float = _PATIENCE_S, faults: Faults | None = None
) -> Iterator[VirtualClock]:
    """Flows that start inside the block run on the local engine, in virtual time.

    Sleeps, pauses before retries, time-outs, deadlines and the waits of batches all take virtual seconds. Sync code is
    not sped up: a node that calls `time.sleep` sleeps. A run that is called from one thread, with sync calls, does the
    same each time for the same seed; async code belongs into `clock.run(main())`.

    Args:
        seed: For what is drawn at random: the order of messages, jitter. None: another one each time; `clock.seed`
            says which, for a failure that is to be repeated.
        patience_s: Real seconds after which time goes on without a thread that still works, as it would for a sync
            function that never returns. Larger is safer on a busy machine.
        faults: Have replicas die, as on a cluster; afterwards it tells when which ones did. None: nothing goes wrong.

    Yields:
        The clock. Its time begins at 0.

    Raises:
        FlowError: There is virtual time already.
        PenguirayError: From a call inside the block: after `patience_s` nothing has happened, and nobody waits for a
            moment to come, so nothing ever will.
    """
    if LocalEngine.world is not None:
        raise FlowError("virtual_time: there is virtual time already; blocks of it cannot be nested")
    clock = VirtualClock(random.SystemRandom().getrandbits(32) if seed is None else seed, patience_s, faults)
    changed = {"PENGUIRAY_ENGINE": "local", "PENGUIRAY_PROGRESS": "0"}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    LocalEngine.world = clock
    try:
        with staying_local():
            yield clock
    finally:
        LocalEngine.world = None
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def current_clock() -> VirtualClock | None:
    """The clock of the `virtual_time` block that the program is in, if it is in one."""
    world = LocalEngine.world
    return world if isinstance(world, VirtualClock) else None


class _Waiter(Protocol):
    """Somebody for whom time may pass."""

    def wake(self) -> None:
        """The moment that it waits for has come; called with the clock's lock held."""
        ...


class VirtualClock:
    """The time of a `virtual_time` block, and of the loops that were made in it."""

    def __init__(self, seed: int, patience_s: float, faults: Faults | None = None) -> None:
        self._faults = faults
        self.seed = seed
        """Seed of what the block's flows draw at random."""
        self._patience_s = patience_s
        self._now = 0.0
        self._lock = threading.RLock()
        self._loops: list[_Loop] = []
        self._running: set[_Waiter] = set()
        self._waiting: dict[_Waiter, float] = {}
        self._threads = 0

    def now(self) -> float:
        """Virtual seconds since the block began."""
        return self._now

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in virtual time, like `asyncio.run`."""
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            return runner.run(main)

    def sleep(self, seconds: float) -> None:
        """Let time pass for the calling thread, as `time.sleep` would; flows that can work meanwhile do."""
        here = asyncio._get_running_loop()  # noqa: SLF001 - public, and unlike its twin it does not raise
        idle = [loop for loop in self._loops if loop not in self._running]
        if here is None and idle:
            idle[0].run_until_complete(asyncio.sleep(seconds))
            return
        sleeper = _Sleeper()
        with self._lock:
            if isinstance(here, _Loop):
                self._running.discard(here)
        try:
            self._block(sleeper, seconds, sleeper.woken.wait, is_awaited=False)
        finally:
            with self._lock:
                if isinstance(here, _Loop):
                    self._running.add(here)

    def engine_of(self, spec: FlowSpec, seed: int | None) -> LocalEngine:
        """An engine for a flow, with this time."""
        seed = self.seed if seed is None else seed
        if self._faults is not None:
            from penguiray.testing.simulated import SimulatedEngine  # noqa: PLC0415 - loads numpy, which most tests need not

            plan = compile_plan(spec, cpus=self._faults.cpus)
            return SimulatedEngine(plan, self._faults, seed=seed, clock=self, loop=self.new_loop())
        return LocalEngine(compile_plan(spec, cpus=1), seed=seed, clock=self, loop=self.new_loop())

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """A loop that has this time; whoever runs it closes it.

        Raises:
            FlowError: In this thread runs a loop whose time is real.
        """
        here = asyncio._get_running_loop()  # noqa: SLF001 - as above
        if here is not None and not isinstance(here, _Loop):
            raise FlowError(
                "virtual_time: an event loop runs here whose time is real, so time-outs would not fit together; run "
                "the test's coroutine with clock.run(main())"
            )
        loop = _Loop(self)
        with self._lock:
            self._loops.append(loop)
            if here is not None:  # it will run in a thread beside this loop, and has work from the beginning
                self._running.add(loop)
        return loop

    def __repr__(self) -> str:
        return f"<VirtualClock at {self._now:g} s, seed {self.seed}>"

    # -- what the loops tell

    def _began(self, loop: _Loop) -> None:
        with self._lock:
            self._running.add(loop)

    def _ended(self, loop: _Loop) -> None:
        """A loop runs no longer; the others need not wait for it."""
        with self._lock:
            self._running.discard(loop)
            self._jump()

    def _closed(self, loop: _Loop) -> None:
        self._ended(loop)
        with self._lock:
            if loop in self._loops:
                self._loops.remove(loop)

    def _thread_began(self) -> None:
        with self._lock:
            self._threads += 1

    def _thread_ended(self) -> None:
        with self._lock:
            self._threads -= 1

    def _block(self, who: _Waiter, timeout_s: float | None, poll: Callable[[float], T], *, is_awaited: bool) -> T:
        """Wait for what `poll` gives, or until so much time has passed; the last one to wait lets it pass."""
        with self._lock:
            if found := poll(0.0):
                return found
            self._waiting[who] = math.inf if timeout_s is None else self._now + timeout_s
            self._jump(here=who)
        try:
            while who in self._waiting:
                if found := poll(self._patience_s):
                    return found
                with self._lock:
                    if who in self._waiting and not self._jump(here=who, is_forced=True) and is_awaited:
                        self._check_alive()
            return poll(0.0)
        finally:
            with self._lock:
                self._waiting.pop(who, None)

    def _jump(self, *, here: _Waiter | None = None, is_forced: bool = False) -> bool:
        """Go to the next moment that somebody waits for, if everybody waits; gives whether there is one.

        Who is here needs no waking.
        """
        if not is_forced and (self._threads or not self._running <= self._waiting.keys()):
            return False
        soonest = min(self._waiting.values(), default=math.inf)
        if soonest == math.inf:
            return False
        self._now = max(self._now, soonest)
        for who in [who for who, until in self._waiting.items() if until <= self._now]:
            del self._waiting[who]
            if who is not here:
                who.wake()
        return True

    def _check_alive(self) -> None:
        if not self._threads and self._running <= self._waiting.keys():
            raise PenguirayError(
                f"virtual_time: nothing can happen any more. At {self._now:g} s all that runs waits, and none of it "
                f"for a moment to come: a node or the test awaits something that nobody will do (seed {self.seed})"
            )


class _Sleeper:
    """A thread in `VirtualClock.sleep`."""

    def __init__(self) -> None:
        self.woken = threading.Event()

    def wake(self) -> None:
        self.woken.set()


class _Selector(selectors.DefaultSelector):
    """Waits for files as ever, and lets its loop's clock pass the time."""

    wait: Callable[[float], list[tuple[selectors.SelectorKey, int]]] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.wait is None or (timeout is not None and timeout <= 0.0):
            return super().select(timeout)
        return self.wait(math.inf if timeout is None else timeout)

    def poll(self, real_s: float) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(real_s)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose time is a virtual clock's."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._is_awaited = False
        selector = _Selector()
        super().__init__(selector)
        selector.wait = lambda timeout_s: clock._block(  # noqa: SLF001 - the clock and its loops are one thing
            self, timeout_s, selector.poll, is_awaited=self._is_awaited
        )

    def time(self) -> float:
        return self._clock.now()

    def run_forever(self) -> None:
        self._clock._began(self)  # noqa: SLF001
        try:
            super().run_forever()
        finally:
            self._clock._ended(self)  # noqa: SLF001

    def run_until_complete(self, future: Any) -> Any:
        """As ever; but since somebody waits for this, it is an error if nothing can happen any more."""
        self._is_awaited = True
        try:
            return super().run_until_complete(future)
        finally:
            self._is_awaited = False

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As ever; no time passes before the callback had its turn."""
        with self._clock._lock:  # noqa: SLF001
            self._clock._waiting.pop(self, None)  # noqa: SLF001
            return super().call_soon_threadsafe(callback, *args, context=context)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As ever; time stands still until the function has returned, or nobody waits for it any more."""
        future = super().run_in_executor(executor, func, *args)
        self._clock._thread_began()  # noqa: SLF001
        future.add_done_callback(lambda _: self._clock._thread_ended())  # noqa: SLF001
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ARG002 - asyncio's
        """As ever, but without the limit of newer Pythons: that is in virtual time, the threads end in real time."""
        self._clock._thread_began()  # noqa: SLF001
        try:
            await super().shutdown_default_executor()
        finally:
            self._clock._thread_ended()  # noqa: SLF001

    def close(self) -> None:
        super().close()
        self._clock._closed(self)  # noqa: SLF001

    def wake(self) -> None:
        super().call_soon_threadsafe(_nothing)


def _nothing() -> None:
    """Wakes a loop."""

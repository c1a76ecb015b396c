"""Permits to begin calls, as the replicas of a node with a rate get them: replica 0 keeps the count, the others ask it.

One question at a time is under way from a replica, for all its calls that wait; it also says what has begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable

from penguiray.clock import Clock
from penguiray.draw.amounts import in_seconds
from penguiray.errors import DeadlineExceeded
from penguiray.graph.policies import Rate
from penguiray.runtime.rate import Grant, RateWindow

__all__ = ["Ask", "Permit", "Permits", "RateKeeper"]

Ask = Callable[[int, int], Awaitable[Grant]]
"""Says how many calls have begun since the last time, and how many wait; gives what may begin."""

_GATHER_S = 0.005
"""Between two questions others may join the next one; for a short `per_s` it is a hundredth of that."""


class RateKeeper:
    """Keeps the count of one node for all its replicas; may be asked from any thread."""

    def __init__(self, rate: Rate, clock: Clock, *, is_successor: bool = False) -> None:
        self._window = RateWindow(rate, full_at=clock.now() if is_successor else None)
        self._clock = clock
        self._lock = threading.Lock()

    def ask(self, begun: int, want: int, asker: int = 0) -> Grant:
        """See `RateWindow.ask`."""
        with self._lock:
            return self._window.ask(begun=begun, want=want, now=self._clock.now(), asker=asker)

    def lose(self, asker: int) -> None:
        """See `RateWindow.lose`."""
        with self._lock:
            self._window.lose(asker, self._clock.now())

    async def ask_here(self, begun: int, want: int) -> Grant:
        """The same for the replica that keeps the count."""
        return self.ask(begun, want)


class Permit:
    """Leave to begin one call."""

    __slots__ = ("_loop", "_note")

    def __init__(self, note: Callable[[Permit], None]) -> None:
        self._note = note
        self._loop = asyncio.get_running_loop()

    def use(self) -> None:
        """The call has begun, or never will. May be said from any thread, and more than once."""
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody counts any more
            self._loop.call_soon_threadsafe(self._note, self)


class _Waiter:
    __slots__ = ("deadline", "turn")

    def __init__(self, deadline: float | None) -> None:
        self.deadline = deadline
        self.turn: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()


class Permits:
    """The permits of one node in one replica. Belongs to the replica's loop, where `run` must be running."""

    def __init__(self, node: str, rate: Rate, ask: Ask, clock: Clock, rng: random.Random) -> None:
        """Prepare.

        Args:
            node: Name of the node.
            rate: Its limit.
            ask: Asks whoever keeps the count.
            clock: The clock of deadlines.
            rng: Draws who comes first when several replicas wait for the same moment.
        """
        self._node = node
        self._rate = rate
        self._ask = ask
        self._clock = clock
        self._rng = rng
        self._gather_s = min(_GATHER_S, rate.per_s / 100)
        self._waiting: deque[_Waiter] = deque()
        self._unused: set[Permit] = set()
        self._begun = 0
        self._changed = asyncio.Event()

    async def take(self, deadline: float | None) -> Permit:
        """Wait for a permit. Calls get theirs in the order in which they ask.

        Raises:
            DeadlineExceeded: The turn can only come after the deadline; raised as soon as that is known.
        """
        waiter = _Waiter(deadline)
        self._waiting.append(waiter)
        self._changed.set()
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.exception() is None:
                waiter.turn.result().use()
            raise

    async def run(self) -> None:
        """Ask for what is wanted, and say what has begun, until it is cancelled."""
        while True:
            wait_s = await self._exchange()
            await asyncio.sleep(self._gather_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()

    async def _exchange(self) -> float | None:
        """Ask once; gives how long nothing needs to be asked, None for as long as nothing changes."""
        self._changed.clear()
        self._forget_cancelled()
        begun, self._begun = self._begun, 0
        if not begun and not self._waiting:
            return None
        grant = await self._ask(begun, len(self._waiting))
        self._forget_cancelled()
        self._give(grant.permits)
        self._refuse_late(grant.waits_s)
        return grant.waits_s[0] + self._rng.uniform(0.0, self._gather_s) if grant.waits_s else None

    def _forget_cancelled(self) -> None:
        self._waiting = deque(waiter for waiter in self._waiting if not waiter.turn.done())

    def _give(self, count: int) -> None:
        for _ in range(count):
            permit = Permit(self._note)
            self._unused.add(permit)
            if self._waiting:
                self._waiting.popleft().turn.set_result(permit)
            else:  # who wanted it was cancelled meanwhile
                self._note(permit)

    def _note(self, permit: Permit) -> None:
        """Count a permit as begun, once."""
        if permit in self._unused:
            self._unused.remove(permit)
            self._begun += 1
            self._changed.set()

    def _refuse_late(self, waits_s: tuple[float, ...]) -> None:
        """Fail those whose turn comes too late, so that they do not wait in vain; others move up by that."""
        now, place, staying = self._clock.now(), 0, deque[_Waiter]()
        for waiter in self._waiting:
            wait_s = waits_s[place] if place < len(waits_s) else 0.0
            if waiter.deadline is not None and now + wait_s >= waiter.deadline:
                waiter.turn.set_exception(self._late(wait_s))
            else:
                staying.append(waiter)
                place += 1
        self._waiting = staying

    def _late(self, wait_s: float) -> DeadlineExceeded:
        rate = self._rate
        return DeadlineExceeded(
            f"node {self._node!r}: with rate={rate.calls} in {rate.per_s:g} s the call cannot begin for another "
            f"{in_seconds(wait_s)}, and the message's deadline is sooner",
            node=self._node,
        )

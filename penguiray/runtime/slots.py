"""How many calls a replica runs at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from penguiray.clock import Clock
from penguiray.link.report import NodeCount
from penguiray.runtime.limit import GradientLimit
from penguiray.runtime.tally import Outcome

__all__ = ["AutoSlots", "Slots"]


class Slots:
    """A counted limit that an intake can wait on without taking anything. Who waits for a slot gets it in turn."""

    def __init__(self, size: int) -> None:
        self.size = size
        """How many there are."""
        self.taken = 0
        """How many are held: for a time more than there are, where there were more before."""
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._changed = asyncio.Event()
        self._scope: asyncio.Timeout | None = None

    @property
    def free(self) -> int:
        """Slots that nobody holds; below 1 if there is none."""
        return self.size - self.taken

    async def take(self) -> None:
        """Wait for a slot and hold it."""
        if self.taken < self.size and not self._waiting:
            self.taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):
                    self._waiting.remove(turn)
            else:  # its turn had come, in the moment in which it was cancelled
                self.give_back()
            raise

    def take_nowait(self) -> bool:
        """Hold a slot if one is free and nobody waits for it; returns whether it is so."""
        if self.taken >= self.size or self._waiting:
            return False
        self.taken += 1
        return True

    def give_back(self) -> None:
        """Free a slot."""
        self.taken -= 1
        self._hand_out()
        self._changed.set()
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())
            self._scope = None

    def resize(self, size: int) -> None:
        """Have another number of slots. Nobody loses one: where there are fewer, the next ones to be free are gone."""
        self.size = size
        self._hand_out()
        self._changed.set()

    def _hand_out(self) -> None:
        while self._waiting and self.taken < self.size:
            turn = self._waiting.popleft()
            if not turn.done():
                self.taken += 1
                turn.set_result(None)

    async def changed(self) -> None:
        """Wait until a slot is given back, or their number changes."""
        self._changed.clear()
        await self._changed.wait()

    async def one_free(self) -> None:
        """Wait until nobody holds one of them."""
        while self.free < 1:
            await self.changed()

    @asynccontextmanager
    async def until_free(self) -> AsyncIterator[None]:
        """A block for one task at a time that ends with TimeoutError once a slot is given back."""
        async with asyncio.timeout(None) as scope:
            self._scope = scope
            try:
                yield
            finally:
                self._scope = None


class AutoSlots(Slots):
    """Slots whose number follows the calls: it is told of each when it begins and when it ends."""

    def __init__(self, start: int, count: NodeCount, clock: Clock) -> None:
        """Begin with so many, and keep the node's count of places."""
        super().__init__(start)
        self._limit = GradientLimit(start)
        self._count = count
        self._clock = clock
        self._under_way = 0
        self._since = clock.now()
        count.places = start

    def begin(self) -> int:
        """A call begins; returns how many are under way with it. One that waits for anything else has not begun."""
        self._under_way += 1
        return self._under_way

    def end(self, round_trip_s: float, begun_with: int, outcome: Outcome | None) -> None:
        """A call has ended that began with so many; without an outcome it says nothing about what it called."""
        if outcome is not None:
            self._limit.on_end(round_trip_s, max(begun_with, self._under_way), outcome)
        self._under_way -= 1
        self._note_places()
        if self._limit.size != self.size:
            self.resize(self._limit.size)
            self._count.places = self.size

    def _note_places(self) -> None:
        now = self._clock.now()
        passed = now - self._since
        self._since = now
        self._count.watched_s += passed
        self._count.place_s += passed * self.size

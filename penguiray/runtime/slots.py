"""How many calls a replica runs at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Slots"]


class Slots:
    """A counted limit that an intake can wait on without taking anything."""

    def __init__(self, size: int) -> None:
        self._free = asyncio.Semaphore(size)
        self._size = size
        self._taken = 0
        self._changed = asyncio.Event()
        self._scope: asyncio.Timeout | None = None

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        return self._size - self._taken

    async def take(self) -> None:
        """Wait for a slot and hold it."""
        await self._free.acquire()
        self._taken += 1

    def give_back(self) -> None:
        """Free a slot."""
        self._taken -= 1
        self._free.release()
        self._changed.set()
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())
            self._scope = None

    async def changed(self) -> None:
        """Wait until a slot is given back."""
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

"""One attempt at a message whose call may be made a second time: the first call to succeed counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from penguiray.clock import Clock
from penguiray.runtime.hedge import Hedging
from penguiray.runtime.slots import Slots

__all__ = ["Race"]

_UNKNOWN_S = 1.0
"""While nobody can say what a straggler is, a call under way looks again after so long."""
_LEAST_WAIT_S = 0.001
"""A timer that is early by a rounding must not be set again for no time at all."""


class Race:
    """The first call runs where it is awaited; the second, if there is one, in a task that ends with the attempt.

    A straggler for which there is no place, or that may not be called again now, is looked at again after as long: at
    the end of a bulk of inputs places become free.
    """

    __slots__ = ("_again", "_begun", "_clock", "_first", "_hedging", "_is_first_over", "_is_straggler", "_loop",
                 "_second", "_slots", "_timer")  # fmt: skip

    def __init__(
        self, again: Callable[[], Coroutine[Any, Any, Any]], hedging: Hedging, slots: Slots, clock: Clock
    ) -> None:
        """Prepare.

        Args:
            again: Makes the second call; a slot is held for it until it has ended.
            hedging: Says when, and whether.
            slots: The replica's limit on calls at the same time.
            clock: Where time comes from.
        """
        self._again = again
        self._hedging = hedging
        self._slots = slots
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._begun = clock.now()
        self._is_straggler = False
        self._first = asyncio.timeout(None)
        self._is_first_over = False
        self._second: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, first: Awaitable[Any], timeout_s: float | None) -> Any:
        """Await the first call, begin the second where that may be, and give what succeeds first.

        The other call is cancelled, and has ended before this returns; so are both if this is cancelled. One that fails
        leaves it to the other, within the time that the attempt has. If both fail, the first one's error is raised.
        """
        self._hedging.begin()
        self._look()
        try:
            result = await self._outcome_of(first)
        except Exception:
            second = await self._second_if_it_succeeds(timeout_s)
            if second is None:
                raise
            result = second.result()
        finally:
            await self._end()
        self._hedging.end(self._clock.now() - self._begun, is_straggler=self._is_straggler)
        return result

    async def _outcome_of(self, first: Awaitable[Any]) -> Any:
        """What the first call gives or raises; TimeoutError once the second has succeeded."""
        try:
            async with self._first:
                return await first
        finally:
            self._is_first_over = True

    def _look(self) -> None:
        """Begin the second call if the first is a straggler, and else see to it that it is looked at again."""
        after_s, age_s = self._hedging.after_s, self._clock.now() - self._begun
        wait_s = _UNKNOWN_S if after_s is None else after_s - age_s
        if after_s is not None and wait_s <= 0.0:
            if self._begins_second():
                return
            wait_s = after_s
        self._timer = self._loop.call_later(max(wait_s, _LEAST_WAIT_S), self._look)

    def _begins_second(self) -> bool:
        if not self._is_straggler:
            self._is_straggler = True
            self._hedging.straggle()
        if not self._hedging.may_hedge or not self._slots.take_nowait():
            return False
        self._hedging.hedge()
        self._second = self._loop.create_task(self._again())
        self._second.add_done_callback(self._on_second)
        return True

    def _on_second(self, second: asyncio.Task[Any]) -> None:
        self._slots.give_back()  # here, since a task that is cancelled before its first step runs nothing of its own
        if _succeeded(second) and not self._is_first_over:
            self._first.reschedule(self._loop.time())

    async def _second_if_it_succeeds(self, timeout_s: float | None) -> asyncio.Task[Any] | None:
        """The second call, if it succeeds in the time that the attempt has left."""
        second = self._second
        if second is None:
            return None
        if not second.done():
            left_s = None if timeout_s is None else max(0.0, self._begun + timeout_s - self._clock.now())
            await asyncio.wait([second], timeout=left_s)
        return second if _succeeded(second) else None

    async def _end(self) -> None:
        """End what is left of the attempt."""
        if self._timer is not None:
            self._timer.cancel()
        if self._second is not None and not self._second.done():
            self._second.cancel()
            await asyncio.wait([self._second])


def _succeeded(call: asyncio.Task[Any]) -> bool:
    return call.done() and not call.cancelled() and call.exception() is None

"""Runs a join: gathers messages of one input or of one key, and gives each group as one list."""

from __future__ import annotations

import asyncio
import reprlib
import time
from collections.abc import Hashable, Iterator
from itertools import chain, zip_longest

from penguiray.errors import JoinIncomplete
from penguiray.link.frame import Kind
from penguiray.link.message import Hops, Messages
from penguiray.runtime.bound import BoundNode, Item
from penguiray.runtime.executor import as_error
from penguiray.runtime.groups import Group, Groups
from penguiray.runtime.inbox import Control
from penguiray.runtime.seen import Seen
from penguiray.runtime.work import Bench, gave_up_on, item_of

__all__ = ["JoinWorker"]

_SLICE = 64

_SHORT = reprlib.Repr()
_SHORT.maxother = _SHORT.maxstring = 80


class JoinWorker:
    """Worker for a join node. It takes everything at once, so a join never holds up what it waits for.

    A message whose group is not complete is reported as parked. Once nothing else of its input is under way, the
    caller's side says so, and the group is closed as it is.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._node: BoundNode = bench.nodes[0]
        rule = self._node.spec.join
        assert rule is not None
        self._rule = rule
        self._groups = Groups(rule)
        self._seen = Seen()
        self._at_work: list[int] = []
        self._per_message_s = 0.0

    async def run(self) -> None:
        """Work until the inbox is closed and empty."""
        outbox = self._bench.outbox
        while (taken := await self._take()) is not None:
            if isinstance(taken, Control):
                self._close(taken)
            elif len(taken):
                begun = self._bench.clock.now()
                await self._gather(taken)
                self._per_message_s = (self._bench.clock.now() - begun) / len(taken)
            for group in self._groups.expire(self._bench.clock.now()):
                self._end(group, f" within {self._rule.timeout_s:g} s")
            outbox.flush()
            await outbox.room()
            await asyncio.sleep(0)

    def cancel(self) -> None:
        """Forget what is gathered of inputs that were given up."""
        self._groups.drop(self._bench.cancelled)

    def held(self) -> Iterator[int]:
        """Ids of the messages that wait for others of their groups, or whose keys are asked for at this moment."""
        return chain(self._groups.ids(), self._at_work)

    @property
    def has_more(self) -> bool:
        """Whether messages wait."""
        return not self._bench.inbox.is_empty

    @property
    def service_s(self) -> float:
        """Mean time for one message, in seconds."""
        return self._per_message_s

    def wait_s(self, ahead: int) -> float:
        """See `Worker`."""
        return ahead * self._per_message_s

    async def _take(self) -> Messages | Control | None:
        """Wait for messages, but no longer than until a group is too old."""
        try:
            async with asyncio.timeout(self._groups.wait_s(self._bench.clock.now())):
                return await self._bench.inbox.take(_SLICE)
        except TimeoutError:
            return Messages([], [], [])

    async def _gather(self, messages: Messages) -> None:
        outbox, now = self._bench.outbox, self._bench.clock.now()
        self._node.count.taken += len(messages)
        self._at_work = messages.ids
        keys, failed = await self._keys(messages)
        self._at_work = []
        for index, key in enumerate(keys):
            item = item_of(messages, index)
            item.source = messages.source
            if index in failed:
                gave_up_on(outbox, item, self._node, failed[index])
            elif self._groups.is_late(item, key):
                outbox.finish(item, [])
            elif self._seen.again(item.message_id):
                continue
            elif (group := self._groups.add(item, key, now)) is None:
                outbox.park(item)
            else:
                self._give(group)

    async def _keys(self, messages: Messages) -> tuple[list[Hashable], dict[int, Exception]]:
        """Each message's key; by position the errors of those for which the user's function gave none."""
        if not self._rule.is_by_key:
            return [None] * len(messages), {}
        function, failed, count = self._node.function, dict[int, Exception](), self._node.count

        def work() -> list[Hashable]:
            keys: list[Hashable] = []
            for index, value in enumerate(messages.values):
                try:
                    key = function(value)
                    hash(key)
                except BaseException as error:  # noqa: BLE001 - the border to user code
                    failed[index], key = as_error(error), None
                keys.append(key)
            return keys

        begun = time.perf_counter()
        keys = await self._bench.executor.call(work)
        count.busy_s += time.perf_counter() - begun
        return keys, failed

    def _close(self, control: Control) -> None:
        """Nothing more can come for the groups of some inputs, or of a whole call."""
        if control.kind is not Kind.CLOSE:
            return
        for group in self._groups.close(control.call, control.messages.roots, set(control.messages.ids)):
            self._end(group, ", and no more can come")

    def _end(self, group: Group, when: str) -> None:
        """A group ends that has fewer messages than were asked for, if a number was."""
        if self._rule.count is None or self._rule.incomplete == "partial":
            self._give(group)
            return
        found, wanted, name = len(group.items), self._rule.count, self._node.spec.name
        about = f" for key {group.key[1]!r}" if self._rule.is_by_key else ""
        feeders = len(self._bench.stage.fed_by)
        hint = f"{feeders} nodes lead to it, so perhaps pr.join({feeders}) is meant: " if feeders > wanted else ""
        error = JoinIncomplete(
            f"{found} of {wanted} messages came{about}{when}: {self._what_came(group.items)}; {hint}mend the node that "
            f"gave too few, or use incomplete='partial'",
            node=name,
            found=found,
            wanted=wanted,
        )
        for item in group.items:
            gave_up_on(self._bench.outbox, item, self._node, error)

    def _what_came(self, items: list[Item]) -> str:
        """What came from which node, in a few words."""
        feeders = self._bench.stage.fed_by
        if len(feeders) < 2:
            return _shown(items)
        return ", ".join(
            f"{_shown(came)} from {name!r}" if came else f"nothing from {name!r}"
            for stage, name in feeders
            if (came := [item for item in items if item.source == stage]) or not self._rule.is_by_key
        )

    def _give(self, group: Group) -> None:
        """Give a group as one message, which counts as an output of the member with the smallest id."""
        owner = min(group.items, key=lambda item: item.message_id)
        for item in group.items:
            if item is not owner:
                self._bench.outbox.finish(item, [])
        owner.hops = _most(group.items)
        self._bench.outbox.finish(owner, [[item.value for item in group.items]])
        self._node.count.given += 1


def _shown(items: list[Item]) -> str:
    """What came, in a few words: it tells from which node."""
    try:
        return _SHORT.repr([item.value for item in items])
    except Exception:  # noqa: BLE001 - a user's `__repr__` is user code
        return f"a {type(items[0].value).__name__} whose repr raises"


def _most(items: list[Item]) -> Hops | None:
    """For each way back, the hops of the member that took it most often."""
    taken = [item.hops for item in items if item.hops is not None]
    return tuple(max(counts) for counts in zip_longest(*taken, fillvalue=0)) or None

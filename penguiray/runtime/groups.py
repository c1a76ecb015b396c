"""Which messages belong together at a join, and when a group ends: complete, too old, or with no more to come. Pure."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from penguiray.graph.spec import JoinRule
from penguiray.link.ids import call_of
from penguiray.runtime.bound import Item

__all__ = ["Group", "Groups"]

_CLOSED = 10_000


@dataclass(slots=True)
class Group:
    """Messages that were gathered under one key."""

    key: tuple[int, Hashable]
    """The call and the user's key; for a join by input the root, and None."""
    since: float
    """When the first of them came."""
    items: list[Item] = field(default_factory=list)
    """The messages, in the order in which they came."""


class Groups:
    """All groups of a replica that are not complete."""

    __slots__ = ("_closed", "_groups", "_rule")

    def __init__(self, rule: JoinRule) -> None:
        self._rule = rule
        self._groups: dict[tuple[int, Hashable], Group] = {}
        self._closed: dict[tuple[int, Hashable], None] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, item: Item, key: Hashable, now: float) -> Group | None:
        """Take a message in; gives its group if that is complete with it."""
        name = self._name(item, key)
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name, now)
        group.items.append(item)
        if self._rule.count is None or len(group.items) < self._rule.count:
            return None
        del self._groups[name]
        return group

    def is_late(self, item: Item, key: Hashable) -> bool:
        """Whether the message's group has ended by its time-out."""
        return bool(self._closed) and self._name(item, key) in self._closed

    def _name(self, item: Item, key: Hashable) -> tuple[int, Hashable]:
        return (call_of(item.root), key) if self._rule.is_by_key else (item.root, None)

    def wait_s(self, now: float) -> float | None:
        """Seconds until a group is too old; None if that never happens."""
        oldest = next(iter(self._groups.values()), None)
        if oldest is None or self._rule.timeout_s is None:
            return None
        return max(0.0, oldest.since + self._rule.timeout_s - now)

    def expire(self, now: float) -> Iterator[Group]:
        """Take out the groups that are too old; what comes for them later is late."""
        while self.wait_s(now) == 0.0:
            group = self._groups.pop(next(iter(self._groups)))
            self._closed[group.key] = None
            if len(self._closed) > _CLOSED:
                del self._closed[next(iter(self._closed))]
            yield group

    def close(self, call: int, roots: Sequence[int], ids: Container[int]) -> list[Group]:
        """Take out groups for which nothing more can come.

        Args:
            call: The call whose groups they are, for a join by key.
            roots: The inputs whose groups they are, for a join by input.
            ids: Messages that wait. A group that holds none of them has begun since, and stays.
        """
        names: list[tuple[int, Hashable]] = [(root, None) for root in roots]
        if self._rule.is_by_key:
            names = [name for name in self._groups if name[0] == call]
        found = [name for name in names if name in self._groups and self._holds(name, ids)]
        return [self._groups.pop(name) for name in found]

    def _holds(self, name: tuple[int, Hashable], ids: Container[int]) -> bool:
        return any(item.message_id in ids for item in self._groups[name].items)

    def ids(self) -> Iterator[int]:
        """Ids of all messages that are gathered."""
        return (item.message_id for group in self._groups.values() for item in group.items)

    def drop(self, roots: Container[int]) -> None:
        """Take out the messages of inputs that were given up."""
        for name, group in list(self._groups.items()):
            group.items = [item for item in group.items if item.root not in roots]
            if not group.items:
                del self._groups[name]

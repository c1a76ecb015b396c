"""Messages in memory: columns of n, since almost nothing is done to one message alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

__all__ = ["NO_FACTS", "NO_HOPS", "NO_KEYS", "PRIORITIES", "PRIORITY", "Facts", "Hops", "MessageQueue", "Messages"]

T = TypeVar("T")

PRIORITY = "priority"
"""Header that says how urgent an input is."""
PRIORITIES = ("high", "normal", "low")
"""What it may say; without it an input is normal."""

Hops = tuple[int, ...]
"""How often the ancestors of a message took each back edge of the flow, by the edge's number."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the caller said about an input, where it said anything; travels with every message that comes from it."""

    trace_id: str = ""
    """Trace id that the caller gave; empty: it follows from the root."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the caller sent along."""
    deadline: float | None = None
    """When the caller's patience ends, on this process's clock. On the wire it is the seconds that remain."""
    is_suspect: bool = False
    """Not said by the caller: replicas may have died of it, so that it is worked on alone, and said when it begins."""

    @property
    def priority(self) -> str:
        """One of `PRIORITIES`."""
        return self.headers.get(PRIORITY, "normal")

    def shifted(self, seconds: float) -> Facts:
        """The same facts with the deadline moved: to and from the wire's remaining seconds."""
        return self if self.deadline is None else replace(self, deadline=self.deadline + seconds)


NO_FACTS: Mapping[int, Facts] = {}
NO_HOPS: Mapping[int, Hops] = {}
NO_KEYS: Mapping[int, int] = {}


@dataclass(slots=True, init=False)
class Messages:
    """n messages as columns of equal length."""

    roots: list[int]
    """Root of each message."""
    ids: list[int]
    """Id of each message."""
    values: list[Any]
    """The user's values."""
    facts: Mapping[int, Facts]
    """Facts by root, for those roots that have any."""
    hops: Mapping[int, Hops]
    """Back edges taken, by message id, for those messages whose ancestors took any."""
    keys: Mapping[int, int]
    """Hash of the key, by message id, for those messages that were emitted with one."""
    source: int
    """The stage that sent them; -1: the caller."""

    def __init__(
        self,
        roots: list[int],
        ids: list[int],
        values: list[Any],
        facts: Mapping[int, Facts] = NO_FACTS,
        hops: Mapping[int, Hops] = NO_HOPS,
        keys: Mapping[int, int] = NO_KEYS,
        source: int = -1,
    ) -> None:  # by hand: a field that defaults to a mapping would have a function called each time
        self.roots, self.ids, self.values = roots, ids, values
        self.facts, self.hops, self.keys = facts, hops, keys
        self.source = source

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, start: int, stop: int) -> Messages:
        """Messages start..stop-1; what belongs to them is shared."""
        cut = slice(start, stop)
        return Messages(self.roots[cut], self.ids[cut], self.values[cut], self.facts, self.hops, self.keys, self.source)

    def with_values(self, values: list[Any]) -> Messages:
        """Other values in the places of these; what belongs to the messages is shared."""
        return Messages(self.roots, self.ids, values, self.facts, self.hops, self.keys, self.source)

    def pick(self, indices: Sequence[int]) -> Messages:
        """The messages at these places, in this order; what belongs to them is shared."""
        roots, ids, values = self.roots, self.ids, self.values
        return Messages(
            [roots[index] for index in indices],
            [ids[index] for index in indices],
            [values[index] for index in indices],
            self.facts,
            self.hops,
            self.keys,
            self.source,
        )

    def without(self, roots: Container[int]) -> Messages:
        """The messages of other roots than these; itself if that is all."""
        kept = [index for index, root in enumerate(self.roots) if root not in roots]
        return self if len(kept) == len(self) else self.pick(kept)


class _Said(Generic[T]):
    """What is said about some of the messages that wait, by a number of theirs, as long as one of that number waits.

    Several may: all that came of one root have its number, and a message that was sent again may wait beside its first
    copy. As long as something is said, those that wait are counted; looking for others would take as long as the queue.
    """

    __slots__ = ("_counts", "_waiting", "said")

    def __init__(self, waiting: list[int]) -> None:
        """Nothing is said; the list of the numbers is its owner's, who changes it in place only."""
        self._waiting = waiting
        self._counts: dict[int, int] = {}
        self.said: dict[int, T] = {}
        """By number."""

    def note(self, said: Mapping[int, T]) -> None:
        """Something is said about messages that are on the list already, or nothing."""
        if said and not self.said:
            self._counts = dict(Counter(self._waiting)) if len(self._waiting) > 1 else {self._waiting[0]: 1}
        self.said.update(said)

    def came(self, numbers: Iterable[int]) -> None:
        """Messages were put on the list, and nothing was noted of them yet; only told while something is said."""
        counts = self._counts
        for number in numbers:
            counts[number] = counts.get(number, 0) + 1

    def take(self, numbers: Sequence[int]) -> dict[int, T]:
        """Messages were taken off the list: gives what is said about them."""
        said, counts = self.said, self._counts
        if not self._waiting:
            taken = said.copy()
            said.clear()
        else:
            taken = {number: said[number] for number in numbers if number in said}
            for number in numbers:
                left = counts[number] - 1
                if left:
                    counts[number] = left
                else:
                    del counts[number]
                    said.pop(number, None)
        if not said:
            self._counts = {}
        return taken


class MessageQueue:
    """Messages that wait, oldest first: columns that grow at one end and are cut at the other."""

    __slots__ = ("_facts", "_hops", "_keys", "ids", "roots", "values")

    def __init__(self) -> None:
        self.roots: list[int] = []
        """Root of each message."""
        self.ids: list[int] = []
        """Id of each message."""
        self.values: list[Any] = []
        """The user's values."""
        self._facts = _Said[Facts](self.roots)
        self._hops = _Said[Hops](self.ids)
        self._keys = _Said[int](self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def add(
        self,
        root: int,
        message_id: int,
        value: Any,
        facts: Facts | None,
        hops: Hops | None = None,
        key: int | None = None,
    ) -> None:
        """Put one message at the end."""
        self.roots.append(root)
        self.ids.append(message_id)
        self.values.append(value)
        self._came((root,), (message_id,))
        if facts is not None:
            self._facts.note({root: facts})
        if hops is not None:
            self._hops.note({message_id: hops})
        if key is not None:
            self._keys.note({message_id: key})

    def extend(self, messages: Messages) -> None:
        """Put messages at the end."""
        self.roots += messages.roots
        self.ids += messages.ids
        self.values += messages.values
        self._came(messages.roots, messages.ids)
        self._note(messages)

    def _came(self, roots: Iterable[int], ids: Iterable[int]) -> None:
        if self._facts.said:
            self._facts.came(roots)
        if self._hops.said:
            self._hops.came(ids)
        if self._keys.said:
            self._keys.came(ids)

    def _note(self, messages: Messages) -> None:
        """Keep what is said about messages; about others of the same input or call it may say something, too."""
        if messages.facts:
            self._facts.note({root: messages.facts[root] for root in messages.roots if root in messages.facts})
        if messages.hops:
            self._hops.note({number: messages.hops[number] for number in messages.ids if number in messages.hops})
        if messages.keys:
            self._keys.note({number: messages.keys[number] for number in messages.ids if number in messages.keys})

    def take(self, count: int) -> Messages:
        """Cut off the oldest messages, with the facts, hops and keys that belong to them."""
        taken = Messages(self.roots[:count], self.ids[:count], self.values[:count])
        del self.roots[:count], self.ids[:count], self.values[:count]
        if self._facts.said:
            taken.facts = self._facts.take(taken.roots)
        if self._hops.said:
            taken.hops = self._hops.take(taken.ids)
        if self._keys.said:
            taken.keys = self._keys.take(taken.ids)
        return taken

    def deadlines(self, count: int) -> list[float]:
        """When the callers' patience ends for the oldest messages, infinity for never; empty if nothing was said."""
        if not self._facts.said:
            return []
        said = (self._facts.said.get(root) for root in self.roots[:count])
        return [math.inf if one is None or one.deadline is None else one.deadline for one in said]

    def put_back(self, taken: Messages) -> None:
        """Put messages back that were just taken, before the others."""
        self.roots[:0], self.ids[:0], self.values[:0] = taken.roots, taken.ids, taken.values
        self._came(taken.roots, taken.ids)
        self._note(taken)

    def drop(self, roots: Container[int]) -> int:
        """Take out the messages of these roots; gives how many there were."""
        kept = [index for index, root in enumerate(self.roots) if root not in roots]
        dropped = len(self) - len(kept)
        if dropped:
            left = self.take(len(self)).pick(kept)
            self.extend(left)
        return dropped

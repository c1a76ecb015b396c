"""Messages in memory: columns of n, since almost nothing is done to one message alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["NO_FACTS", "Facts", "Messages"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the caller said about an input, where it said anything; travels with every message that comes from it."""

    trace_id: str = ""
    """Trace id that the caller gave; empty: it follows from the root."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What the caller sent along."""
    deadline: float | None = None
    """When the caller's patience ends, on this process's clock. On the wire it is the seconds that remain."""

    def shifted(self, seconds: float) -> Facts:
        """The same facts with the deadline moved: to and from the wire's remaining seconds."""
        return self if self.deadline is None else Facts(self.trace_id, self.headers, self.deadline + seconds)


NO_FACTS: Mapping[int, Facts] = {}


@dataclass(slots=True)
class Messages:
    """n messages as columns of equal length."""

    roots: list[int]
    """Root of each message."""
    ids: list[int]
    """Id of each message."""
    values: list[Any]
    """The user's values."""
    facts: Mapping[int, Facts] = field(default_factory=lambda: NO_FACTS)
    """Facts by root, for those roots that have any."""

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, start: int, stop: int) -> Messages:
        """Messages start..stop-1; the facts are shared."""
        return Messages(self.roots[start:stop], self.ids[start:stop], self.values[start:stop], self.facts)

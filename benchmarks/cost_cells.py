"""What the table of costs varies, one thing at a time: data, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.workloads import Scale

__all__ = ["BASE", "GROUPS", "Cell", "cells"]

_MESSAGES: dict[Scale, int] = {"tiny": 200, "small": 20_000, "full": 500_000}
_BYTES: dict[Scale, int] = {"tiny": 20_000_000, "small": 50_000_000, "full": 200_000_000}
"""Most bytes of all inputs of a run, so that large messages do not hold up the round."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A straight flow whose nodes give what they take, so that its cost is what penguiray does."""

    stages: int = 2
    """Nodes, none fused: so many actors a message passes."""
    replicas: int = 1
    """Actors of each stage."""
    payload_bytes: int = 100
    """Size of a message, a `bytes` object; each is another one."""
    delivery: Literal["at_least_once", "at_most_once"] = "at_least_once"
    """At most once: the driver keeps no input for the case that a replica is lost."""
    streams: bool = True
    """False: by Ray's calls, as between hosts."""

    @property
    def name(self) -> str:
        """What tells it from the others, in the words of the command line."""
        words = [f"{self.stages} stages", f"{self.replicas} replicas", f"{self.payload_bytes} B", self.delivery]
        return ", ".join(words if self.streams else [*words, "by calls"])

    def size(self, scale: Scale) -> int:
        """Messages that it runs."""
        return max(20, min(_MESSAGES[scale], _BYTES[scale] // self.payload_bytes))


BASE = Cell()
GROUPS: dict[str, Sequence[Cell]] = {
    "stages": [replace(BASE, stages=n) for n in range(1, 9)],
    "replicas": [replace(BASE, replicas=n) for n in range(1, 9)],
    "payload": [replace(BASE, payload_bytes=10**power) for power in range(2, 7)],
    "delivery": [BASE, replace(BASE, delivery="at_most_once")],
    "transport": [BASE, replace(BASE, streams=False)],
}
"""Lines of the table by what they vary; `BASE` is in each, and measured once."""


def cells(groups: Sequence[str]) -> list[Cell]:
    """The cells of some groups, each once, `BASE` first: the others are compared with it."""
    return list(dict.fromkeys([BASE, *(cell for group in groups for cell in GROUPS[group])]))

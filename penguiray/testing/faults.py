"""What goes wrong in a simulated run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from penguiray.link.frame import LinkId

__all__ = ["MOMENTS", "Faults"]

MOMENTS = (
    "a frame leaves",
    "a frame came",
    "a frame was taken",
    "a report is due",
    "a report left",
    "a loss is told",
    "it says what it holds",
    "a successor opens",
)
"""When a process may die, or be cut off."""


@dataclass
class Faults:
    """What goes wrong in a simulated run; its lists tell afterwards what did."""

    kills: int = 3
    """Most processes that die."""
    cuts: int = 0
    """Most times that a process is cut off: for a while nothing reaches it, or nothing that it sends arrives, or both.
    Then all of it arrives, also what comes from one that was replaced meanwhile."""
    breaks: int = 0
    """Most streams that break: what is on its way there is lost, on both sides, each of which is told some time later.
    Whoever sent it sends it once more by calls, also what had arrived."""
    chance: float = 0.05
    """That one dies, that one is cut off, and that a stream breaks, at each of the moments that comes."""
    moments: Sequence[str] = MOMENTS
    """The moments at which one may die or be cut off. A stream may break whenever something is said there."""
    cpus: int = 2
    """For which the flow is planned: a stage may have so many replicas."""
    hosts: int = 2
    """Replica n is on host n modulo this, the caller on host 0. Processes of one host talk over streams."""
    delay_s: float = 0.01
    """Longest time that anything is on its way, besides what goes before it."""
    deaths: list[tuple[float, str, LinkId]] = field(default_factory=list)
    """Time, moment and replica of each death."""
    silences: list[tuple[float, float, str, LinkId]] = field(default_factory=list)
    """Beginning, end, direction (in, out, or both) and replica of each time that one was cut off."""
    broken: list[float] = field(default_factory=list)
    """When a stream broke, for each."""

    def histogram(self) -> Counter[str]:
        """How many died at each moment."""
        return Counter(moment for _, moment, _ in self.deaths)

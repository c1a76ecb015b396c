"""Which replicas have not been heard of for long, and what follows. Pure.

    5 s    suspect: others do what it has and what would come to it; it is left alone, and may come back
    15 s   lost: another one takes its place

The time is that of who listens. Where it stood still itself it could hear nobody, so of the time between two looks at
most `MOST_S` counts.
"""

from __future__ import annotations

from collections.abc import Collection

from penguiray.link.frame import LinkId

__all__ = ["LOST_S", "MOST_S", "SUSPECT_S", "Silence"]

SUSPECT_S = 5.0
"""Silence after which others do a replica's work."""
LOST_S = 15.0
"""Silence after which it is replaced."""
MOST_S = 2.0
"""Most that counts as silence between two looks."""


class Silence:
    """How long each replica has been silent."""

    __slots__ = ("_looked", "_silent")

    def __init__(self, now: float) -> None:
        self._looked = now
        self._silent: dict[LinkId, float] = {}

    def heard(self, replica: LinkId) -> None:
        """A replica has answered, or is seen to work."""
        self._silent[replica] = 0.0

    def forget(self, replica: LinkId) -> None:
        """A replica is not listened to any more, or is a new one."""
        self._silent.pop(replica, None)

    def look(self, replicas: Collection[LinkId], now: float) -> dict[LinkId, float]:
        """Some time has passed; gives how long each of these replicas has been silent, in seconds."""
        passed = min(now - self._looked, MOST_S)
        self._looked = now
        for replica in replicas:
            self._silent[replica] = self._silent.get(replica, 0.0) + passed
        return {replica: self._silent[replica] for replica in replicas}

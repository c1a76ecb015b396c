"""Who a run is: what its first replica tells anybody who asks. Frozen, and the same on every engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["RunCard"]


@dataclass(frozen=True, slots=True)
class RunCard:
    """A run as others see it."""

    name: str | None
    """Its name, which no other run of the cluster has; None: it has none, like that of a `flow.map`."""
    flow: str
    """Name of the flow."""
    host: str
    """Host of the process that started it."""
    pid: int
    """Id of that process."""
    since: float
    """When it was started, in seconds of Unix time on that host."""
    epoch: int
    """Tells it from every other run."""
    stages: tuple[tuple[str, int], ...]
    """Name of each stage, and how many replicas it has."""

    @property
    def started(self) -> str:
        """When it was started, in the reader's local time."""
        return datetime.fromtimestamp(self.since).astimezone().isoformat(" ", "seconds")

"""When a root is done: every message that came from it was announced and finished. Pure.

A finished message announces its outputs in the same breath, so nothing is ever in between. Reports may come in any
order and more than once: sets are kept and not counts, since a count would take a repeated report for a second message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["Ledger"]


_NONE_PARKED: dict[int, int] = {}
"""Of ledgers that have seen no join, which are most: never written to."""


class Ledger:
    """Open, parked and finished messages of one root."""

    __slots__ = ("finished", "open", "parked")

    def __init__(self, announced: Iterable[int]) -> None:
        self.open: set[int] = set(announced)
        """Ids that were announced and are not finished."""
        self.finished: set[int] = set()
        """Ids that are finished, announced or not yet."""
        self.parked = _NONE_PARKED
        """Ids that wait at a join for others, announced or not yet, each with the stage."""

    def finish(self, message_id: int, outputs: Iterable[int]) -> bool:
        """A message is finished and had these outputs; returns False if that was known already."""
        if message_id in self.finished:
            return False
        self.finished.add(message_id)
        self.open.discard(message_id)
        if self.parked:
            self.parked.pop(message_id, None)
        for output in outputs:
            if output not in self.finished and output not in self.parked:
                self.open.add(output)
        return True

    def park(self, message_id: int, stage: int) -> None:
        """A message waits at a join for others."""
        if message_id not in self.finished:
            self.open.discard(message_id)
            self.parked = self.parked or {}
            self.parked[message_id] = stage

    def unfinished(self) -> Iterator[tuple[int, int]]:
        """Ids that were announced and are not finished, each with a mark that changes when it is parked."""
        yield from ((one, one) for one in self.open)
        yield from ((one, -one) for one in self.parked)

    @property
    def stuck_at(self) -> int | None:
        """The first join at which messages wait, if nothing else is under way that could bring them others."""
        return min(self.parked.values()) if self.parked and not self.open else None

    def __len__(self) -> int:
        """Messages that are remembered."""
        return len(self.open) + len(self.parked) + len(self.finished)

    @property
    def is_done(self) -> bool:
        """Whether every announced message is finished."""
        return not self.open and not self.parked

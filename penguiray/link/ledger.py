"""When a root is done: every message that came from it was announced and finished. Pure.

A finished message announces its outputs in the same breath, so nothing is ever in between. Reports may come in any
order and more than once: sets are kept and not counts, since a count would take a repeated report for a second message.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Ledger"]


class Ledger:
    """Open and finished messages of one root."""

    __slots__ = ("finished", "open")

    def __init__(self, announced: Iterable[int]) -> None:
        self.open: set[int] = set(announced)
        """Ids that were announced and are not finished."""
        self.finished: set[int] = set()
        """Ids that are finished, announced or not yet."""

    def finish(self, message_id: int, outputs: Iterable[int]) -> bool:
        """A message is finished and had these outputs; returns False if that was known already."""
        if message_id in self.finished:
            return False
        self.finished.add(message_id)
        self.open.discard(message_id)
        for output in outputs:
            if output not in self.finished:
                self.open.add(output)
        return True

    def __len__(self) -> int:
        """Messages that are remembered."""
        return len(self.open) + len(self.finished)

    @property
    def is_done(self) -> bool:
        """Whether every announced message is finished."""
        return not self.open

"""Whether a node's calls are so short that a turn of another thread would take longer. Pure."""

from __future__ import annotations

__all__ = ["LIGHT_S", "Light"]

LIGHT_S = 0.0002
"""Longest work, in seconds, that may keep a loop from all else: two or three turns of a thread take as long."""
_HEAVY_S = 0.01
"""Work of that length on the loop was a mistake."""
_CALLS = 16
"""Times in a row that the work has to be short, before it is believed to stay so."""
_MOST_CALLS = 1 << 20


class Light:
    """Believes what it has seen often enough; each time that this was a mistake it wants to see more of it."""

    __slots__ = ("_in_a_row", "_wanted")

    def __init__(self) -> None:
        self._in_a_row = 0
        self._wanted = _CALLS

    def note(self, each_s: float) -> None:
        """Some work was done, by calls of so many seconds each."""
        if each_s <= LIGHT_S:
            self._in_a_row += 1
            return
        if each_s > _HEAVY_S and self.is_light:
            self._wanted = min(self._wanted * _CALLS, _MOST_CALLS)
        self._in_a_row = 0

    @property
    def is_light(self) -> bool:
        """Whether the next call may be expected to be short."""
        return self._in_a_row >= self._wanted

"""How many inputs of a call may be under way: a fixed number, or one that follows the flow. Pure.

Little's law gives the least window that keeps a flow busy: its rate times the time a message takes. Neither is known
beforehand, so the window begins small, doubles while a whole window is released in a short time, and shrinks when a
window takes long. Expensive flows read few inputs ahead, cheap ones fill their frames. A short time is also that for
which the caller's process was away lately: the flow needs work meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["MOST_INPUTS", "Window"]

_GROW_S = 0.1
_SHRINK_S = 1.0
MOST_INPUTS = 65_536
"""A window grows to no more than this, unless it began larger."""


def _never_away() -> float:
    return 0.0


class Window:
    """Limit on inputs read minus roots released to the consumer."""

    __slots__ = ("_away_s", "_counted", "_least", "_since", "is_fixed", "size")

    def __init__(self, least: int, fixed: int | None = None, *, away_s: Callable[[], float] = _never_away) -> None:
        """Begin at the least size, or stay at the fixed one.

        Args:
            least: Least size.
            fixed: The size, if it is to stay as it is.
            away_s: Gives for how long the caller's process was away lately, in seconds; asked once a window.
        """
        self._away_s = away_s
        self.is_fixed = fixed is not None
        self._least = fixed or least
        self.size = self._least
        """Inputs that may be under way now."""
        self._counted = 0
        self._since: float | None = None

    def keep_at_least(self, size: int) -> None:
        """The flow can work on another number of inputs than it could: shrink to no less."""
        if not self.is_fixed:
            self._least = size
            self.size = max(self.size, size)

    def on_released(self, roots: int, now: float) -> None:
        """Roots were released to the consumer."""
        if self.is_fixed:
            return
        if self._since is None:
            self._since = now
        self._counted += roots
        if self._counted < self.size:
            return
        took, away_s = now - self._since, self._away_s()
        if took < max(_GROW_S, away_s):
            self.size = min(max(MOST_INPUTS, self._least), self.size * 2)
        elif took > max(_SHRINK_S, 2 * away_s):
            self.size = max(self._least, self.size // 2)
        self._counted, self._since = 0, now

"""Which messages are not worth a call, since its result would come after their deadline. Pure.

Served in their order under more load than there is capacity, those that come to their turn have waited almost until
their deadline: without this each call would end too late, however many there are.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable

from penguiray.draw.amounts import in_seconds
from penguiray.errors import DeadlineExceeded

__all__ = ["Shedding"]

_NEWEST = 32
"""Calls that are remembered. Fewer follow a change sooner."""
_LEAST = 8
"""Fewer say nothing."""


class Shedding:
    """What the calls of a node typically take, and what follows for messages with a deadline.

    A message whose deadline has passed is never begun. One that has less time left than it takes from here to its end
    is begun only where no other one waits: so an idle node tries even what seems to be in vain, and sees when its calls
    have become quicker. Only calls for messages with a deadline are noted.
    """

    __slots__ = ("_node", "_samples", "behind_s", "typical_s")

    def __init__(self, node: str) -> None:
        """Nothing is known; the name of the node is for errors."""
        self._node = node
        self.behind_s: Callable[[], float] = float
        """What a message takes behind the node, in seconds, as far as that is known; set by its replica."""
        self._samples: deque[float] = deque(maxlen=_NEWEST)
        self.typical_s = 0.0
        """The median of what calls took, in seconds; 0 while too few were noted."""

    def note(self, seconds: float) -> None:
        """A call took so long, or was ended then."""
        self._samples.append(seconds)
        if len(self._samples) >= _LEAST:
            self.typical_s = statistics.median(self._samples)

    def rest_s(self, calls: int = 1) -> float:
        """What a message takes from here until its end, behind so many calls; 0 while too little is known."""
        return calls * self.typical_s + self.behind_s() if self.typical_s else 0.0

    def refusal(self, deadline: float | None, now: float, *, takes_s: float, is_last: bool) -> DeadlineExceeded | None:
        """Why a message is not begun; None if it is.

        Args:
            deadline: When the caller's patience ends. None: never.
            now: The time.
            takes_s: What it takes from here until its end, in seconds.
            is_last: Whether no other message waits.
        """
        if deadline is None:
            return None
        if now >= deadline:
            why = "the message's deadline passed before the call"
        elif takes_s > deadline - now and not is_last:
            left, takes = in_seconds(deadline - now), in_seconds(takes_s)
            why = f"the message's deadline is in {left}, and to its end it takes {takes}, so it was not begun"
        else:
            return None
        return DeadlineExceeded(f"node {self._node!r}: {why}", node=self._node)

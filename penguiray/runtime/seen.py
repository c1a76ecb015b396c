"""Messages that come again after a loss, where taking one twice would show: at joins and folds. Pure."""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["SEEN", "Seen"]

SEEN = 200_000
"""Messages that are remembered. More than can be under way: one that comes again is of an input that is not done."""


class Seen:
    """The newest ids, each once."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: OrderedDict[int, None] = OrderedDict()

    def again(self, message_id: int) -> bool:
        """Whether a message came before; it has come now."""
        if message_id in self._ids:
            return True
        self._ids[message_id] = None
        if len(self._ids) > SEEN:
            self._ids.popitem(last=False)
        return False

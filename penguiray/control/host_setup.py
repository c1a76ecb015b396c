"""Which replica of a stage sets its host up, and which wait for that. Pure.

placed(a, host)  ->  "set up"     the first of its stage on the host
placed(b, host)  ->  "wait"
is_set_up(a)     ->  [a, b]       both may be built now
placed(c, host)  ->  "build"      a later one finds all done
lose(a)          ->  b            if a was at it, and b waits for that
"""

from __future__ import annotations

from typing import Literal

from penguiray.link.frame import LinkId

__all__ = ["HostSetups"]


class HostSetups:
    """The hosts of one run, each set up once by every stage that asks for it."""

    def __init__(self) -> None:
        self._places: dict[LinkId, tuple[int, str]] = {}
        self._waiting: dict[tuple[int, str], list[LinkId]] = {}
        self._done: set[tuple[int, str]] = set()

    def placed(self, replica: LinkId, host: str) -> Literal["set up", "wait", "build"]:
        """A replica has its place: gives what it has to do."""
        place = self._places[replica] = (replica.stage, host)
        if place in self._done:
            return "build"
        if place in self._waiting:
            self._waiting[place].append(replica)
            return "wait"
        self._waiting[place] = [replica]
        return "set up"

    def is_set_up(self, replica: LinkId) -> list[LinkId]:
        """A replica has set its host up: gives all that may be built now, itself included."""
        place = self._places[replica]
        self._done.add(place)
        return self._waiting.pop(place)

    def take_over(self, stage: int, other: HostSetups) -> None:
        """Another version of a stage works: the hosts that are set up for it are those that were so by its replicas."""
        self._done = {place for place in self._done if place[0] != stage} | other._done

    def lose(self, replica: LinkId) -> LinkId | None:
        """A replica was lost; gives who is to set the host up in its place, if it was at that and others wait."""
        place = self._places.pop(replica, (0, ""))
        waiting = self._waiting.get(place, [])
        was_first = waiting[:1] == [replica]
        if replica in waiting:
            waiting.remove(replica)
        if not was_first:
            return None
        if not waiting:
            del self._waiting[place]
        return next(iter(waiting), None)

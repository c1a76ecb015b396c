"""What replicas are told to give up: one call to each at a time, and what comes meanwhile goes along in the next.

Under more load than there is capacity, many callers lose their patience at once: a call to each replica for each of
them would be a queue without a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from penguiray.link.frame import LinkId
from penguiray.runtime.cancelled import remember_calls, remember_roots

__all__ = ["Cancels"]

Tell = Callable[[LinkId, Sequence[int], Sequence[int]], None]


class Cancels:
    """Roots and calls of which replicas were not told, as many as they would remember. Its owner sees to threads."""

    def __init__(self, tell: Tell) -> None:
        """Nothing is given up; `tell` has a replica told, and `told` is due when it has answered."""
        self._tell = tell
        self._waiting: dict[LinkId, tuple[dict[int, None], dict[int, None]]] = {}

    def add(self, links: Iterable[LinkId], roots: Sequence[int], calls: Sequence[int]) -> None:
        """These replicas are to give up these inputs."""
        for link in links:
            if link in self._waiting:
                more_roots, more_calls = self._waiting[link]
                remember_roots(more_roots, roots)
                remember_calls(more_calls, calls)
            else:
                self._waiting[link] = {}, {}
                self._tell(link, roots, calls)

    def told(self, link: LinkId) -> None:
        """A replica has heard the last word, or is gone."""
        roots, calls = self._waiting.pop(link, ({}, {}))
        if roots or calls:
            self.add([link], list(roots), list(calls))

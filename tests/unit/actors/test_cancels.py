"""One call to a replica at a time tells what is given up, however much that is."""

from __future__ import annotations

from collections.abc import Sequence

from penguiray.actors.cancels import Cancels
from penguiray.link.frame import LinkId

A, B = LinkId(0, 0), LinkId(1, 0)


class Told:
    def __init__(self) -> None:
        self.calls: list[tuple[LinkId, list[int], list[int]]] = []
        self.cancels = Cancels(self.tell)

    def tell(self, link: LinkId, roots: Sequence[int], calls: Sequence[int]) -> None:
        self.calls.append((link, list(roots), list(calls)))


def test_what_comes_while_a_replica_is_told_goes_along_in_the_next_call() -> None:
    told = Told()
    told.cancels.add([A, B], [1], [])
    assert told.calls == [(A, [1], []), (B, [1], [])]
    told.cancels.add([A, B], [], [2])
    told.cancels.add([A], [3], [])
    assert len(told.calls) == 2
    told.cancels.told(A)
    assert told.calls[2:] == [(A, [3], [2])]
    told.cancels.told(B)
    assert told.calls[3:] == [(B, [], [2])]
    for link in (A, B):
        told.cancels.told(link)
    told.cancels.add([A], [4], [])
    assert told.calls[4:] == [(A, [4], [])]


def test_no_more_waits_than_a_replica_would_remember() -> None:
    told = Told()
    for number in range(60_000):
        told.cancels.add([A], [number], [number])
    told.cancels.told(A)
    (_, roots, calls) = told.calls[-1]
    assert roots == list(range(20_000, 60_000))
    assert calls == list(range(59_000, 60_000))

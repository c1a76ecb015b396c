"""The transports of the kit keep what a transport promises, the faulty one in spite of its faults."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.clock import SystemClock
from penguiray.graph.policies import FlowOptions
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, LinkId
from penguiray.link.sender import Sender
from penguiray.link.transport import Transport
from penguiray.testing import FaultyTransport, MemoryPair, TransportConformance, TransportPair
from penguiray.testing.conformance import FIRST, SECOND, data


class TestMemoryPair(TransportConformance):
    @pytest.fixture
    def pair(self) -> TransportPair:
        return MemoryPair()


class Timers:
    """Calls things later, when it is told that time has passed."""

    def __init__(self) -> None:
        self.now = 0.0
        self._tie = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def later(self, delay_s: float, function: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + delay_s, next(self._tie), function))

    def next(self) -> bool:
        if not self._due:
            return False
        self.now, _, function = heapq.heappop(self._due)
        function()
        return True


class FaultyPair:
    """A memory pair behind a faulty transport."""

    def __init__(self, seed: int = 1) -> None:
        self.timers = Timers()
        self.memory = MemoryPair()
        self.transport: Transport = FaultyTransport(self.memory, rng=random.Random(seed), later=self.timers.later)

    @property
    def feedback(self) -> list[tuple[LinkId, Feedback]]:
        return self.memory.feedback

    @property
    def refused(self) -> list[tuple[int, int, CarriedError]]:
        return self.memory.refused

    def take(self, link: LinkId) -> Frame:
        while link not in self.memory.waiting and self.timers.next():
            pass
        return self.memory.take(link)

    def wait_feedback(self, count: int) -> None:
        self.memory.wait_feedback(count)


class TestFaultyTransport(TransportConformance):
    @pytest.fixture
    def pair(self) -> TransportPair:
        return FaultyPair()


def test_a_pair_says_what_is_on_its_way_and_that_nothing_is() -> None:
    pair = MemoryPair()
    pair.send(data(FIRST, 0, "a"))
    pair.send(data(FIRST, 1, "b"))
    assert pair.waiting == {FIRST: 2}
    with pytest.raises(LookupError, match="no frame is on its way"):
        pair.take(SECOND)
    with pytest.raises(LookupError, match="0 frames were taken, not 1"):
        pair.wait_feedback(1)


def test_frames_of_different_links_overtake_each_other_as_the_seed_says() -> None:
    def order(seed: int) -> list[LinkId]:
        pair, arrived = FaultyPair(seed), []
        for sequence in range(10):
            pair.transport.send(data(FIRST, sequence, sequence))
            pair.transport.send(data(SECOND, sequence, sequence))
        while pair.timers.next():
            (link,) = pair.memory.waiting
            pair.memory.take(link)
            arrived.append(link)
        return arrived

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(5)}) == 5
    assert order(1).count(FIRST) == 10


def test_a_cut_link_loses_what_is_held_and_what_is_sent_and_others_lose_nothing() -> None:
    pair = FaultyPair()
    faulty = pair.transport
    assert isinstance(faulty, FaultyTransport)
    for link in (FIRST, SECOND):
        faulty.send(data(link, 0, "held"))
    faulty.cut(FIRST)
    for link in (FIRST, SECOND):
        faulty.send(data(link, 1, "after"))
    while pair.timers.next():
        pass
    assert pair.memory.waiting == {SECOND: 2}
    assert [frame.messages.values for frame in faulty.lost] == [["held"], ["after"]]


@given(seed=st.integers(0, 2**32), link_messages=st.integers(1, 5))
def test_a_sender_over_late_links_sends_everything_once_and_gets_all_its_credit_back(
    seed: int, link_messages: int
) -> None:
    rng, pair, taken = random.Random(seed), FaultyPair(seed), list[int]()
    sender = Sender(
        pair.transport,
        FlowOptions(link_messages=link_messages, frame_messages=3),
        epoch=1,
        clock=SystemClock(),
        rng=random.Random(1),
    )
    sender.connect(0, 2)
    for number in range(30):
        sender.offer(0, 1, number, number, None)
    sender.flush()
    while sender.queued or pair.memory.waiting or pair.timers.next():
        for link in [link for link in pair.memory.waiting if rng.random() < 0.7]:
            taken += pair.memory.take(link).messages.values
            sender.take_credit(*pair.memory.feedback[-1])
            sender.flush()
        if sender.queued:
            pair.timers.next()
    assert sorted(taken) == list(range(30))
    for known in sender._stages[0].main.links:
        assert (known.credit.messages_out, known.credit.bytes_out, known.unanswered) == (0, 0, {})

"""What every transport promises, as tests. To run them over one, subclass the suite and give it a `pair`.

    class TestMine(TransportConformance):
        @pytest.fixture
        def pair(self) -> Iterator[TransportPair]: ...

Source: the conformance checks for streams in trio's testing module.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.message import NO_FACTS, Facts, Messages
from penguiray.testing.transports import TransportPair

__all__ = ["TransportConformance"]

FIRST, SECOND = LinkId(0, 0), LinkId(0, 1)


@dataclass
class Point:
    """A class that the receiver can import."""

    x: int


def data(link: LinkId, sequence: int, *values: Any, facts: Mapping[int, Facts] = NO_FACTS) -> Frame:
    """A frame of messages with ids of their own; all are of root 7."""
    ids = [1_000 * sequence + index for index in range(len(values))]
    return Frame(link, 1, sequence, Kind.DATA, Messages([7] * len(ids), ids, list(values), facts))


class TransportConformance:
    """Order, at most once, feedback, size, control words, and values that cannot travel."""

    @pytest.fixture
    def pair(self) -> Any:
        """A fresh `TransportPair`."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `pair` that gives a TransportPair")

    def test_frames_of_a_link_arrive_in_order_and_once(self, pair: TransportPair) -> None:
        """Sending does not wait for the receiver, and the last frame is the next one after the others."""
        for sequence in range(30):
            pair.transport.send(data(FIRST, sequence, sequence))
        pair.transport.send(data(FIRST, 30, "the last"))
        taken = [pair.take(FIRST) for _ in range(31)]
        assert [frame.sequence for frame in taken] == list(range(31))
        assert [value for frame in taken for value in frame.messages.values] == [*range(30), "the last"]

    def test_a_frame_arrives_as_it_was_sent(self, pair: TransportPair) -> None:
        """All its fields, several messages, and the size that it took."""
        said = {7: Facts("trace", {"header": "value"})}
        sent = data(SECOND, 0, 1, "two", None, Point(3), facts=said)
        assert pair.transport.send(sent) > 0
        assert pair.take(SECOND) == sent

    def test_a_deadline_travels_as_the_time_that_remains(self, pair: TransportPair) -> None:
        """On the clock of the receiver, which here is that of the same host."""
        pair.transport.send(data(FIRST, 0, 1, facts={7: Facts(deadline=time.monotonic() + 1_000.0)}))
        deadline = pair.take(FIRST).messages.facts[7].deadline
        assert deadline is not None
        assert 0.0 < deadline - time.monotonic() < 1_001.0

    def test_links_do_not_wait_for_each_other(self, pair: TransportPair) -> None:
        """A receiver that takes nothing holds up its own link only."""
        for sequence in range(5):
            pair.transport.send(data(FIRST, sequence, "first"))
            pair.transport.send(data(SECOND, sequence, "second"))
        assert [pair.take(SECOND).messages.values for _ in range(5)] == [["second"]] * 5
        assert [pair.take(FIRST).messages.values for _ in range(5)] == [["first"]] * 5

    def test_feedback_for_a_frame_comes_once_and_only_when_it_was_taken(self, pair: TransportPair) -> None:
        """On the frame's link, with its number."""
        for sequence in range(3):
            pair.transport.send(data(FIRST, sequence, "first"))
        pair.transport.send(data(SECOND, 0, "second"))
        assert pair.feedback == []
        pair.take(FIRST)
        pair.wait_feedback(1)
        assert [(link, one.sequence) for link, one in pair.feedback] == [(FIRST, 0)]
        for link in (SECOND, FIRST, FIRST):
            pair.take(link)
        pair.wait_feedback(4)
        came = [(link, one.sequence) for link, one in pair.feedback]
        assert sorted(came, key=repr) == [(FIRST, 0), (FIRST, 1), (FIRST, 2), (SECOND, 0)]

    def test_large_payloads_arrive_whole_and_in_their_place(self, pair: TransportPair) -> None:
        """Text in the body, and arrays that may travel beside it."""
        import numpy as np  # noqa: PLC0415 - loaded by who runs the suite, not by the plugin

        array = np.arange(1_000_000, dtype=np.float64)
        size = pair.transport.send(data(FIRST, 0, "x" * 3_000_000, array, array[:10]))
        pair.transport.send(data(FIRST, 1, "small"))
        text, large, small = pair.take(FIRST).messages.values
        assert size > 11_000_000
        assert text == "x" * 3_000_000
        assert np.array_equal(large, array)
        assert np.array_equal(small, array[:10])
        assert pair.take(FIRST).messages.values == ["small"]

    def test_control_frames_keep_their_place_and_their_words(self, pair: TransportPair) -> None:
        """They overtake no data, with or without a message of their own."""
        sent = [
            data(FIRST, 0, "before"),
            Frame(FIRST, 1, 1, Kind.END, Messages([7], [1], [None]), call=5),
            data(FIRST, 2, "between"),
            Frame(FIRST, 1, 3, Kind.FORGET, Messages([], [], []), call=6),
            data(FIRST, 4, "behind"),
        ]
        for frame in sent:
            pair.transport.send(frame)
        assert [pair.take(FIRST) for _ in sent] == sent

    def test_a_value_that_cannot_be_pickled_is_refused_alone(self, pair: TransportPair) -> None:
        """The others of its frame arrive, and so do the frames behind it; an emptied frame gives feedback too."""
        pair.transport.send(data(FIRST, 0, "a", threading.Lock(), "c"))
        pair.transport.send(data(FIRST, 1, threading.Lock()))
        pair.transport.send(data(FIRST, 2, "d"))
        taken = [pair.take(FIRST) for _ in range(3)]
        assert [frame.messages.values for frame in taken] == [["a", "c"], [], ["d"]]
        assert [frame.messages.ids for frame in taken] == [[0, 2], [], [2_000]]
        assert [(root, message_id) for root, message_id, _ in pair.refused] == [(7, 1), (7, 1_000)]
        assert all("lock" in str(error) for _, _, error in pair.refused)
        pair.wait_feedback(3)

    def test_a_class_that_the_receiver_does_not_know_goes_along(self, pair: TransportPair) -> None:
        """With the first frame of each link that carries it, and is known from then on."""

        class Local:
            def __init__(self, x: int) -> None:
                self.x = x

        for link in (FIRST, SECOND):
            for sequence in range(2):
                pair.transport.send(data(link, sequence, Local(sequence)))
        taken = [pair.take(link).messages.values[0] for link in (FIRST, SECOND) for _ in range(2)]
        assert [one.x for one in taken] == [0, 1, 0, 1]

"""Frames over sockets between real processes keep what a transport promises, also when the sockets break."""

from __future__ import annotations

import asyncio
import queue
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import ray
from drivers import until

import penguiray as pr
from penguiray.actors.calls import CallTransport, Peer
from penguiray.actors.door import Door
from penguiray.actors.letters import feedback_of, frame_letter
from penguiray.actors.replica_actor import CONCURRENCY_GROUPS
from penguiray.actors.stream import Stream
from penguiray.actors.streams import StreamTransport
from penguiray.clock import SystemClock
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.message import Messages
from penguiray.link.order import Place
from penguiray.link.wire import pack_frame
from penguiray.testing import TransportConformance, TransportPair

pytestmark = pytest.mark.usefixtures("ray_cluster")

SAFETY_S = 60.0


def receiver(door: Door) -> Any:
    """An actor that takes frames in as a replica does, by calls and by streams; its inbox is emptied by the test."""

    class Inbox:
        """In the place of the replica: keeps what has come until the test takes it."""

        def __init__(self) -> None:
            self.came: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def receive(self, frame: Any, answer: Callable[[Any], None]) -> None:
            self.came.put((frame, answer))

    class Receiver:
        def __init__(self) -> None:
            from penguiray.actors.door import Answering
            from penguiray.actors.intake import Intake

            self.loop = asyncio.new_event_loop()
            self.inbox = Inbox()
            inbox: Any = self.inbox
            self.intake = Intake(inbox, self.loop, SystemClock(), lambda answer: answer(None))
            self.senders: dict[Any, int] = {}
            answering = Answering(
                door,
                self.loop,
                on_stream=self.note,
                on_word=self.take_word,
                on_broken=lambda stream: self.senders.__delitem__(stream),
            )
            answering.open()
            threading.Thread(target=self.loop.run_forever, daemon=True).start()

        def note(self, stream: Any, sender: int, _reads: bool) -> None:
            self.senders[stream] = sender

        def take_word(self, stream: Any, _word: Any, payload: memoryview) -> None:
            self.intake.by_stream(stream, self.senders[stream], payload)

        @ray.method(concurrency_group="data")
        def receive(self, letter: bytes, *beside: Any) -> Any:
            from penguiray.actors.letters import answer_with, frame_in

            return answer_with(*self.intake.by_call(*frame_in(letter, beside)))

        @ray.method(concurrency_group="control")
        def receive_again(self, letter: bytes, *beside: Any) -> Any:
            from penguiray.actors.letters import answer_with, frame_in
            from penguiray.link.frame import Feedback
            from penguiray.link.wire import sequence_in

            place, header, body, _ = frame_in(letter, beside)
            assert place is not None
            self.intake.by_call_again(place, header, body)
            return answer_with(Feedback(sequence_in(header), 0.0))

        @ray.method(concurrency_group="peers")
        def take(self) -> Any:
            from penguiray.link.frame import Feedback

            frame, answer = self.inbox.came.get(timeout=SAFETY_S)
            self.loop.call_soon_threadsafe(answer, Feedback(frame.sequence, 0.0))
            return frame

    factory: Any = ray.remote(concurrency_groups=CONCURRENCY_GROUPS, num_cpus=0)(Receiver)  # type: ignore[call-overload]  # Ray's types lack the option
    return factory.remote()


class StreamPair:
    """Two actors, and the transport to them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        doors = [Door.make() for _ in range(2)]
        self.actors = [receiver(door) for door in doors]
        ray.get([actor.__ray_ready__.remote() for actor in self.actors], timeout=SAFETY_S)
        self._came: queue.SimpleQueue[Callable[[], tuple[LinkId, Feedback]]] = queue.SimpleQueue()
        self._feedback: list[tuple[LinkId, Feedback]] = []
        self.refused: list[tuple[int, int, CarriedError]] = []
        calls = CallTransport(
            clock=SystemClock(), options=pr.FlowOptions(), on_answer=self._take_answer, on_refused=self._refuse
        )
        self.absences: queue.SimpleQueue[float] = queue.SimpleQueue()
        self.stands_still_s = 0.0
        """For how long the thread that reads the streams does nothing behind the next feedback."""
        self.streams = StreamTransport(calls, self._lock, on_feedback=self._take_feedback, on_absence=self.absences.put)
        peers: list[Peer] = list(zip(self.actors, doors, strict=True))
        self.streams.connect({0: peers}, self._loop)

    @property
    def transport(self) -> StreamPair:
        return self

    def send(self, frame: Frame) -> int:
        """Send under the lock, as an engine does."""
        with self._lock:
            return self.streams.send(frame)

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        return self.streams.frame_bytes(stage, full_bytes)

    def is_near(self, link: LinkId) -> bool:
        with self._lock:
            return self.streams.is_near(link)

    def cut(self, link: LinkId, how: int) -> None:
        """Break a stream while both sides live: what is on its way may arrive or not."""
        stream = self.streams._ways[link].stream
        assert isinstance(stream, Stream)
        stream._socket.shutdown(how)

    def _refuse(self, root: int, message_id: int, error: CarriedError) -> None:
        self.refused.append((root, message_id, error))

    def _take_feedback(self, link: LinkId, feedback: Feedback) -> None:
        stands_still_s, self.stands_still_s = self.stands_still_s, 0.0
        self._loop.call_soon(time.sleep, stands_still_s)
        self._came.put(lambda: (link, feedback))

    def _take_answer(self, link: LinkId, _actor: Any, answer: Future[Any]) -> None:
        self._came.put(lambda: (link, feedback_of(answer)))

    def take(self, link: LinkId) -> Frame:
        return ray.get(self.actors[link.replica].take.remote(), timeout=SAFETY_S)  # type: ignore[no-any-return]  # an actor's answer has no type

    @property
    def feedback(self) -> list[tuple[LinkId, Feedback]]:
        while not self._came.empty():
            self._feedback.append(self._came.get()())
        return self._feedback

    def wait_feedback(self, count: int) -> None:
        while len(self._feedback) < count:
            self._feedback.append(self._came.get(timeout=SAFETY_S)())

    def close(self) -> None:
        with self._lock:
            self.streams.close()
        for actor in self.actors:
            ray.kill(actor)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SAFETY_S)
        self._loop.close()


class TestStreamTransport(TransportConformance):
    @pytest.fixture
    def pair(self) -> Iterator[TransportPair]:
        pair = StreamPair()
        yield pair
        used = [link for link in (LinkId(0, 0), LinkId(0, 1)) if pair.streams.has_stream(link)]
        pair.close()
        assert used, "frames went by calls"


def test_who_is_on_this_host_is_known_before_anything_was_sent_and_while_there_is_a_stream() -> None:
    pair = StreamPair()
    link = LinkId(0, 1)
    assert pair.is_near(link)
    pair.send(Frame(link, 1, 0, Kind.DATA, Messages([7], [1], ["value"])))
    assert pair.take(link).messages.values == ["value"]
    pair.wait_feedback(1)
    (_, feedback), *_ = pair.feedback
    assert feedback.sequence == 0
    pair.close()
    assert not pair.is_near(link)


def test_who_reads_nothing_for_a_while_is_told_so_and_is_looked_at_only_as_long_as_feedback_comes() -> None:
    pair = StreamPair()
    link = LinkId(0, 0)
    pair.stands_still_s = 0.5
    for sequence in range(2):
        pair.send(Frame(link, 1, sequence, Kind.DATA, Messages([7], [sequence], ["value"])))
        pair.take(link)
        pair.wait_feedback(sequence + 1)
        assert [pair.absences.get(timeout=SAFETY_S) >= 0.4 for _ in range(2)] == [True, True]
        until(lambda: pair.streams._looks, lambda looks: not looks, SAFETY_S)
    pair.close()


@pytest.mark.parametrize("seed", range(3))
def test_frames_of_a_stream_that_breaks_arrive_in_order_and_once(seed: int) -> None:
    """Some go over the stream, and those that are too large for it beside them, before and behind the break."""
    rng = random.Random(seed)
    pair = StreamPair()
    link, break_at, sent = LinkId(0, 0), rng.randrange(5, 30), list[Frame]()
    for sequence in range(40):
        values = [bytearray(rng.choice([10, 10, 10, 100_000, 2_000_000])) for _ in range(2)]
        messages = Messages([7, 7], [2 * sequence, 2 * sequence + 1], values)
        sent.append(Frame(link, 1, sequence, Kind.DATA, messages))
        pair.send(sent[-1])
        if sequence == break_at:
            pair.cut(link, rng.choice([socket.SHUT_RDWR, socket.SHUT_RD, socket.SHUT_WR]))
    assert [pair.take(link) for _ in sent] == sent
    pair.wait_feedback(len(sent))
    assert sorted(one.sequence for _, one in pair.feedback) == list(range(40))
    assert not pair.streams.has_stream(link)
    pair.close()


def test_frames_are_large_while_there_is_a_stream_to_each_replica() -> None:
    """Over calls only those that would be large enough to be worth the way through the store."""
    pair = StreamPair()
    links = [LinkId(0, 0), LinkId(0, 1)]
    for link in links:
        assert (pair.frame_bytes(0, 200_000), pair.frame_bytes(0, 10**6)) == (90_000, 650_000)
        pair.send(Frame(link, 1, 0, Kind.DATA, Messages([7], [1], [1])))
    assert (pair.frame_bytes(0, 200_000), pair.frame_bytes(0, 10**6)) == (650_000, 650_000)
    pair.cut(links[1], socket.SHUT_RDWR)
    until(lambda: pair.streams.has_stream(links[1]), lambda has_one: not has_one, SAFETY_S)
    assert (pair.frame_bytes(0, 200_000), pair.frame_bytes(0, 10**6)) == (90_000, 650_000)
    pair.close()


def test_a_frame_that_comes_too_early_does_not_keep_out_the_one_that_it_waits_for() -> None:
    pair = StreamPair()
    link, (actor, _) = LinkId(0, 0), pair.actors

    def receive(number: int) -> Any:
        frame = Frame(link, 1, number, Kind.DATA, Messages([7], [number], [number]))
        header, data, _ = pack_frame(frame, set(), now=0.0, inline_limit=1_000)
        return actor.receive.remote(*frame_letter(Place(5, Kind.DATA, number), header, data, ())).future()

    early = [receive(2), receive(1)]
    assert [feedback_of(answer).sequence for answer in early] == [2, 1]
    due = receive(0)
    assert [pair.take(link).messages.values for _ in range(3)] == [[0], [1], [2]]
    assert feedback_of(due).sequence == 0
    pair.close()

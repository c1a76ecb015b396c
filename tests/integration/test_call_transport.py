"""Frames as calls between real actors keep what a transport promises."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import ray

import penguiray as pr
from penguiray.actors.calls import CallTransport
from penguiray.actors.letters import feedback_of
from penguiray.actors.replica_actor import CONCURRENCY_GROUPS
from penguiray.clock import SystemClock
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, LinkId
from penguiray.link.transport import Transport
from penguiray.testing import TransportConformance, TransportPair

pytestmark = pytest.mark.usefixtures("ray_cluster")

SAFETY_S = 60.0


def receiver() -> Any:
    """An actor with the groups and the `receive` of a replica's, whose inbox is emptied by the test."""

    class Receiver:
        def __init__(self) -> None:
            self.may_take = threading.Semaphore(0)
            self.taken: queue.SimpleQueue[Any] = queue.SimpleQueue()

        @ray.method(concurrency_group="data")
        def receive(self, letter: bytes, *beside: Any) -> Any:
            from penguiray.actors.letters import answer_with, frame_in
            from penguiray.link.frame import Feedback
            from penguiray.link.wire import unpack_frame

            _, header, body, attachments = frame_in(letter, beside)
            frame, failure = unpack_frame(header, body, attachments, now=time.monotonic())
            self.may_take.acquire()
            self.taken.put((frame, failure))
            return answer_with(Feedback(frame.sequence, 0.0))

        @ray.method(concurrency_group="control")
        def take(self) -> Any:
            self.may_take.release()
            return self.taken.get(timeout=60.0)

    factory: Any = ray.remote(concurrency_groups=CONCURRENCY_GROUPS, num_cpus=0)(Receiver)  # type: ignore[call-overload]  # Ray's types lack the option
    return factory.remote()


class CallPair:
    """Two actors, and the transport to them."""

    def __init__(self) -> None:
        self.actors = [receiver() for _ in range(2)]
        self._came: queue.SimpleQueue[tuple[LinkId, Future[Any]]] = queue.SimpleQueue()
        self._feedback: list[tuple[LinkId, Feedback]] = []
        self.refused: list[tuple[int, int, CarriedError]] = []
        calls = CallTransport(
            clock=SystemClock(),
            options=pr.FlowOptions(),
            on_answer=lambda link, _actor, answer: self._came.put((link, answer)),
            on_refused=lambda root, message_id, error: self.refused.append((root, message_id, error)),
        )
        for number, actor in enumerate(self.actors):
            calls.replace(LinkId(0, number), actor)
        self.transport: Transport = calls

    def take(self, link: LinkId) -> Frame:
        frame, failure = ray.get(self.actors[link.replica].take.remote(), timeout=SAFETY_S)
        assert failure is None
        return frame  # type: ignore[no-any-return]  # an actor's answer has no type

    @property
    def feedback(self) -> list[tuple[LinkId, Feedback]]:
        while not self._came.empty():
            self._take_answer()
        return self._feedback

    def wait_feedback(self, count: int) -> None:
        while len(self._feedback) < count:
            self._take_answer()

    def _take_answer(self) -> None:
        link, answer = self._came.get(timeout=SAFETY_S)
        self._feedback.append((link, feedback_of(answer)))


class TestCallTransport(TransportConformance):
    @pytest.fixture
    def pair(self) -> Iterator[TransportPair]:
        pair = CallPair()
        yield pair
        for actor in pair.actors:
            ray.kill(actor)

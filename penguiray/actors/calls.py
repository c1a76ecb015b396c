"""Frames as actor calls: the transport between any two processes of a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from penguiray.clock import Clock
from penguiray.graph.policies import FlowOptions
from penguiray.link.codec import BodyTooLarge
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.transport import FrameTooLarge
from penguiray.link.wire import Refused, frame_of_what_can_travel, pack_frame

__all__ = ["CallTransport", "feedback_of"]

Answered = Callable[[LinkId, Any, "Future[Any]"], None]


class CallTransport:
    """Sends each frame as one call of the receiver's `receive`; its return value is the feedback.

    Buffers above the inline limit are top-level arguments of the call: Ray puts them in its store, and fetches them
    before the call runs. They belong to the sender until the call has returned.
    """

    def __init__(self, *, clock: Clock, options: FlowOptions, on_answer: Answered, on_refused: Refused) -> None:
        """Prepare; `connect` says who is there.

        Args:
            clock: The sender's clock.
            options: The flow's limits.
            on_answer: Called from a thread of Ray's when a call has returned or failed, with the replica and the actor;
                may only enqueue.
            on_refused: Told of each message whose value cannot be pickled, or is too large.
        """
        self._clock = clock
        self._options = options
        self._on_answer = on_answer
        self._on_refused = on_refused
        self._actors: dict[LinkId, Any] = {}
        self._known: dict[tuple[LinkId, str], set[str]] = {}

    def connect(self, actors: Mapping[int, Sequence[Any]]) -> None:
        """Say which actors are the replicas of each stage."""
        for stage, replicas in actors.items():
            for number, actor in enumerate(replicas):
                link = LinkId(stage, number)
                self.replace(link, actor)

    def is_current(self, link: LinkId, actor: Any) -> bool:
        """Whether an actor is a replica now, and not one before it."""
        return self._actors.get(link) is actor

    def replace(self, link: LinkId, actor: Any) -> None:
        """Say which actor is a replica now."""
        self._actors[link] = actor
        for known in [known for known in self._known if known[0] == link]:
            del self._known[known]

    def send(self, frame: Frame) -> int:
        """Send a frame; a message that cannot be pickled, or is too large, is refused, and the others go."""
        try:
            header, data, buffers = self._pack(frame, self._limit(frame))
        except Exception as error:  # pickling runs user code
            if isinstance(error, BodyTooLarge) and len(frame.messages) > 1:
                raise FrameTooLarge from error
            frame = frame_of_what_can_travel(frame, self._options.max_message_bytes, self._on_refused)
            header, data, buffers = self._pack(frame, None)
        link = frame.link
        attachments = [np.frombuffer(buffer, dtype=np.uint8) for buffer in buffers]
        actor = self._actors[link]
        ref = getattr(actor, _method(frame.kind)).remote(header, data, *attachments)
        answer: Future[Any] = ref.future()
        answer.add_done_callback(lambda done: self._on_answer(link, actor, done))
        return len(header) + len(data) + sum(buffer.nbytes for buffer in buffers)

    def _known_to(self, frame: Frame) -> set[str]:
        """Classes that the receiver knows when it decodes a frame: those of frames that this one cannot overtake."""
        return self._known.setdefault((frame.link, _method(frame.kind)), set())

    def _limit(self, frame: Frame) -> int | None:
        """Most bytes of the frame: several messages together are no more than may be on the way to one replica."""
        limit = self._options.max_message_bytes
        return limit if len(frame.messages) <= 1 else min(limit or sys.maxsize, self._options.link_bytes)

    def _pack(self, frame: Frame, limit: int | None) -> tuple[bytes, bytes, list[memoryview]]:
        now, inline_limit = self._clock.now(), self._options.inline_limit_bytes
        return pack_frame(frame, self._known_to(frame), now=now, inline_limit=inline_limit, limit=limit)


def _method(kind: Kind) -> str:
    """The method for frames of a kind: each has a thread of its own, so the urgent ones wait for no others."""
    if kind in {Kind.BACK, Kind.HIGH}:
        return "receive_first"
    return "receive_low" if kind is Kind.LOW else "receive"


def feedback_of(answer: Future[Any]) -> Feedback:
    """The feedback that a call brought; raises if the receiver is gone."""
    sequence, service_s = answer.result()
    return Feedback(sequence, service_s)

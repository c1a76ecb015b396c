"""Frames as actor calls: the transport between any two processes of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from penguiray.clock import Clock
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, LinkId
from penguiray.link.wire import pack_frame, without_refused

__all__ = ["CallTransport", "feedback_of"]

Answered = Callable[[LinkId, "Future[Any]"], None]
Refused = Callable[[int, int, CarriedError], None]


class CallTransport:
    """Sends each frame as one call of the receiver's `receive`; its return value is the feedback.

    Buffers above the inline limit are top-level arguments of the call: Ray puts them in its store, and fetches them
    before the call runs. They belong to the sender until the call has returned.
    """

    def __init__(self, *, clock: Clock, inline_limit: int, on_answer: Answered, on_refused: Refused) -> None:
        """Prepare; `connect` says who is there.

        Args:
            clock: The sender's clock.
            inline_limit: Buffers above this many bytes travel beside the body.
            on_answer: Called from a thread of Ray's when a call has returned or failed; may only enqueue.
            on_refused: Told of each message whose value cannot be pickled: root, id, and why.
        """
        self._clock = clock
        self._inline_limit = inline_limit
        self._on_answer = on_answer
        self._on_refused = on_refused
        self._actors: dict[LinkId, Any] = {}
        self._known: dict[LinkId, set[str]] = {}

    def connect(self, actors: Mapping[int, Sequence[Any]]) -> None:
        """Say which actors are the replicas of each stage."""
        for stage, replicas in actors.items():
            for number, actor in enumerate(replicas):
                link = LinkId(stage, number)
                self._actors[link] = actor
                self._known[link] = set()

    def send(self, frame: Frame) -> int:
        """Send a frame; a message that cannot be pickled is refused, and the others go."""
        try:
            header, data, buffers = self._pack(frame)
        except Exception:  # noqa: BLE001 - pickling runs user code
            frame = without_refused(frame, self._inline_limit, self._on_refused)
            header, data, buffers = self._pack(frame)
        link = frame.link
        attachments = [np.frombuffer(buffer, dtype=np.uint8) for buffer in buffers]
        ref = self._actors[link].receive.remote(header, data, *attachments)
        answer: Future[Any] = ref.future()
        answer.add_done_callback(lambda done: self._on_answer(link, done))
        return len(header) + len(data) + sum(buffer.nbytes for buffer in buffers)

    def _pack(self, frame: Frame) -> tuple[bytes, bytes, list[memoryview]]:
        return pack_frame(frame, self._known[frame.link], now=self._clock.now(), inline_limit=self._inline_limit)


def feedback_of(answer: Future[Any]) -> Feedback:
    """The feedback that a call brought; raises if the receiver is gone."""
    sequence, service_s = answer.result()
    return Feedback(sequence, service_s)

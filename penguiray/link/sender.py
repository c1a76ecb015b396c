"""The sending half of all edges of one process. A replica owns one, and so does the ingress on the caller's side.

Flush rule: an idle link sends at once; a busy one gathers, until a frame is full or the link is idle again. So load
makes frames big and idleness makes them quick, and no message waits for a timer.

Messages wait for a *stage*, not for a link: which replica gets them is decided when one has room, so a slow replica
does not sit on messages that its neighbour could do.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from penguiray.graph.policies import FlowOptions
from penguiray.link.credit import Credit
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.message import Facts, Hops, MessageQueue, Messages
from penguiray.link.transport import FrameTooLarge, Transport

__all__ = ["Sender"]

FRAMES_AHEAD = 2
"""Frames in flight on a link: one being worked on, one ready. More brought nothing in measurements."""
FRAME_BYTES = 90_000
"""Aim for a frame's size: above 100 KB Ray moves an argument through its store, which costs 2 ms a call."""
FRAME_S = 0.1
"""Aim for the work in a frame, in seconds: a slow stage gets small frames, so that its replicas share evenly."""


class _Link:
    """One replica as seen from the sender."""

    __slots__ = ("credit", "id", "sequence", "unanswered")

    def __init__(self, link: LinkId, credit: Credit) -> None:
        self.id = link
        self.credit = credit
        self.sequence = 0
        self.unanswered: dict[int, tuple[int, int]] = {}


class _Queue:
    """Messages that wait for a replica of one stage, and the links to those replicas."""

    __slots__ = ("bytes_each", "idle", "kind", "links", "service_s", "waiting")

    def __init__(self, links: list[_Link], kind: Kind) -> None:
        self.links = links
        self.kind = kind
        self.idle = len(links)
        self.waiting = MessageQueue()
        self.bytes_each = 0.0
        self.service_s = 0.0

    def frame_limit(self, options: FlowOptions) -> int:
        """Messages in a full frame, by count, by bytes and by the time they take."""
        limit = options.frame_messages
        if self.bytes_each > 0:
            limit = min(limit, int(FRAME_BYTES / self.bytes_each))
        if self.service_s > 0:
            limit = min(limit, int(FRAME_S / self.service_s))
        return max(1, limit)


class Sender:
    """Queues messages by stage, cuts frames, and keeps within the credit of each link. Its owner sees to threads."""

    __slots__ = ("_epoch", "_options", "_queues", "_transport", "queued")

    def __init__(self, transport: Transport, options: FlowOptions, *, epoch: int) -> None:
        self._transport = transport
        self._options = options
        self._epoch = epoch
        self._queues: dict[int, _Queue] = {}
        self.queued = 0
        """Messages that wait here for their way on, for all stages together. Those on a way back are not counted: if
        they held up their own stage, a loop could wait for itself. The budgets of their roots bound them."""

    def connect(self, stage: int, replicas: int, *, is_back: bool = False) -> None:
        """Say how many replicas a stage has, and whether the way to it is a back edge."""
        options = self._options
        links = [
            _Link(LinkId(stage, number), Credit(options.link_messages, options.link_bytes))
            for number in range(replicas)
        ]
        self._queues[stage] = _Queue(links, Kind.BACK if is_back else Kind.DATA)

    def offer(
        self, stage: int, root: int, message_id: int, value: Any, facts: Facts | None, hops: Hops | None = None
    ) -> None:
        """Queue one message; `flush` sends it."""
        queue = self._queues[stage]
        queue.waiting.add(root, message_id, value, facts, hops)
        self.queued += queue.kind is Kind.DATA

    def offer_all(self, stage: int, messages: Messages) -> None:
        """Queue many messages, not on a way back."""
        self._queues[stage].waiting.extend(messages)
        self.queued += len(messages)

    def drop(self, roots: Container[int]) -> None:
        """Take back the messages of these roots that have not been sent."""
        for queue in self._queues.values():
            dropped = queue.waiting.drop(roots)
            self.queued -= dropped if queue.kind is Kind.DATA else 0

    def control(self, kind: Kind, stage: int, *, call: int, messages: Messages | None = None) -> None:
        """Send a control word to every replica of a stage, behind the data that was sent before."""
        for link in self._queues[stage].links:
            self._send(link, kind, messages or Messages([], [], []), call)

    def flush(self, *, full_only: bool = False) -> None:
        """Send all that the flush rule and the credit allow, or only what fills a frame."""
        for queue in self._queues.values():
            self._flush(queue, full_only=full_only)

    def _flush(self, queue: _Queue, *, full_only: bool = False) -> None:
        while queue.waiting.ids and self._send_next(queue, full_only=full_only):
            pass

    @property
    def has_waiting(self) -> bool:
        """Whether messages wait here for their way on, or back."""
        return any(queue.waiting.ids for queue in self._queues.values())

    @property
    def queued_bytes(self) -> float:
        """Bytes that they have, by the mean size of those that were sent; 0 where values go by reference."""
        return sum(len(queue.waiting) * queue.bytes_each for queue in self._queues.values() if queue.kind is Kind.DATA)

    def mean_bytes(self, stage: int) -> float:
        """Mean size of a message on the way to a stage; 0 while unknown, and where values go by reference."""
        return self._queues[stage].bytes_each

    def on_feedback(self, link: LinkId, feedback: Feedback) -> None:
        """Take credit back, and send what waited for it."""
        self.take_credit(link, feedback)
        self._flush(self._queues[link.stage])

    def take_credit(self, link: LinkId, feedback: Feedback) -> None:
        """Take credit back; `flush` sends what waited for it."""
        queue = self._queues[link.stage]
        known = queue.links[link.replica]
        messages, body_bytes = known.unanswered.pop(feedback.sequence)
        known.credit.grant(messages, body_bytes)
        queue.idle += not known.unanswered
        if feedback.service_s > 0:
            queue.service_s = feedback.service_s

    def _send_next(self, queue: _Queue, *, full_only: bool) -> bool:
        limit, waiting = queue.frame_limit(self._options), len(queue.waiting)
        if full_only and waiting < limit:
            return False
        if queue.idle:
            link, share = next(link for link in queue.links if not link.unanswered), -(-waiting // queue.idle)
        elif waiting >= limit:
            link, share = min(queue.links, key=_outstanding), limit
            if len(link.unanswered) >= FRAMES_AHEAD:
                return False
        else:
            return False
        count = min(share, limit, link.credit.room())
        if count < 1:
            return False
        self._send_most(link, queue, count)
        return True

    def _send_most(self, link: _Link, queue: _Queue, count: int) -> None:
        """Send so many messages in a frame, or half of them, and so on, where their bytes are too many for one."""
        taken = queue.waiting.take(count)
        try:
            sent = self._send(link, queue.kind, taken, 0)
        except FrameTooLarge:
            queue.waiting.put_back(taken)
            self._send_most(link, queue, count // 2)
            return
        self.queued -= count if queue.kind is Kind.DATA else 0
        if sent:
            queue.bytes_each += (sent / count - queue.bytes_each) / (4 if queue.bytes_each else 1)

    def _send(self, link: _Link, kind: Kind, messages: Messages, call: int) -> int:
        frame = Frame(link.id, self._epoch, link.sequence, kind, messages, call)
        sent = self._transport.send(frame)
        link.sequence += 1
        self._queues[link.id.stage].idle -= not link.unanswered
        link.unanswered[frame.sequence] = (len(messages), sent)
        link.credit.take(len(messages), sent)
        return sent


def _outstanding(link: _Link) -> tuple[int, int]:
    return len(link.unanswered), link.credit.messages_out

"""The sending half of all edges of one process. A replica owns one, and so does the ingress on the caller's side.

Flush rule: an idle link sends at once; a busy one gathers, until a frame is full or the link is idle again. So load
makes frames big and idleness makes them quick, and no message waits for a timer.

Messages wait for a *stage*, not for a link: which replica gets them is decided when one has room, so a slow replica
does not sit on messages that its neighbour could do.
"""

from __future__ import annotations

from typing import Any

from penguiray.graph.policies import FlowOptions
from penguiray.link.credit import Credit
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.message import Facts, Messages
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

    __slots__ = ("bytes_each", "facts", "idle", "ids", "links", "roots", "service_s", "values")

    def __init__(self, links: list[_Link]) -> None:
        self.links = links
        self.idle = len(links)
        self.roots: list[int] = []
        self.ids: list[int] = []
        self.values: list[Any] = []
        self.facts: dict[int, Facts] = {}
        self.bytes_each = 0.0
        self.service_s = 0.0

    def take(self, count: int) -> Messages:
        taken = Messages(self.roots[:count], self.ids[:count], self.values[:count])
        del self.roots[:count], self.ids[:count], self.values[:count]
        if self.facts:
            taken.facts = {root: self.facts[root] for root in taken.roots if root in self.facts}
            waiting = set(self.roots)
            self.facts = {root: facts for root, facts in self.facts.items() if root in waiting}
        return taken

    def put_back(self, taken: Messages) -> None:
        self.roots[:0], self.ids[:0], self.values[:0] = taken.roots, taken.ids, taken.values
        self.facts.update(taken.facts)

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
        """Messages that wait here, for all stages together."""

    def connect(self, stage: int, replicas: int) -> None:
        """Say how many replicas a stage has."""
        options = self._options
        self._queues[stage] = _Queue(
            [
                _Link(LinkId(stage, number), Credit(options.link_messages, options.link_bytes))
                for number in range(replicas)
            ]
        )

    def offer(self, stage: int, root: int, message_id: int, value: Any, facts: Facts | None) -> None:
        """Queue one message; `flush` sends it."""
        queue = self._queues[stage]
        queue.roots.append(root)
        queue.ids.append(message_id)
        queue.values.append(value)
        if facts is not None:
            queue.facts[root] = facts
        self.queued += 1

    def offer_all(self, stage: int, messages: Messages) -> None:
        """Queue many messages."""
        queue = self._queues[stage]
        queue.roots += messages.roots
        queue.ids += messages.ids
        queue.values += messages.values
        if messages.facts:
            queue.facts.update({root: messages.facts[root] for root in messages.roots if root in messages.facts})
        self.queued += len(messages)

    def control(self, kind: Kind, stage: int, *, call: int, messages: Messages | None = None) -> None:
        """Send a control word to every replica of a stage, behind the data that was sent before."""
        for link in self._queues[stage].links:
            self._send(link, kind, messages or Messages([], [], []), call)

    def flush(self) -> None:
        """Send all that the flush rule and the credit allow."""
        for queue in self._queues.values():
            while queue.ids and self._send_next(queue):
                pass

    @property
    def queued_bytes(self) -> float:
        """Bytes that they have, by the mean size of those that were sent; 0 where values go by reference."""
        nbytes = 0.0
        for queue in self._queues.values():
            nbytes += len(queue.ids) * queue.bytes_each
        return nbytes

    def mean_bytes(self, stage: int) -> float:
        """Mean size of a message on the way to a stage; 0 while unknown, and where values go by reference."""
        return self._queues[stage].bytes_each

    def on_feedback(self, link: LinkId, feedback: Feedback) -> None:
        """Take credit back, and send what waited for it."""
        queue = self._queues[link.stage]
        known = queue.links[link.replica]
        messages, body_bytes = known.unanswered.pop(feedback.sequence)
        known.credit.grant(messages, body_bytes)
        queue.idle += not known.unanswered
        if feedback.service_s > 0:
            queue.service_s = feedback.service_s
        while queue.ids and self._send_next(queue):
            pass

    def _send_next(self, queue: _Queue) -> bool:
        limit, waiting = queue.frame_limit(self._options), len(queue.ids)
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
        taken = queue.take(count)
        try:
            sent = self._send(link, Kind.DATA, taken, 0)
        except FrameTooLarge:
            queue.put_back(taken)
            self._send_most(link, queue, count // 2)
            return
        self.queued -= count
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

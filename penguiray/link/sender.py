"""The sending half of all edges of one process. A replica owns one, and so does the ingress on the caller's side.

Flush rule: an idle link sends at once; a busy one gathers, until a frame is full or the link is idle again. So load
makes frames big and idleness makes them quick, and no message waits for a timer.

Messages wait for a *stage*, not for a link: which replica gets them is decided when one has room, so a slow replica
does not sit on messages that its neighbour could do. It is the one of a few where they would be finished first, see
`choice.py` and `load.py`. Those with a key wait for the one replica that gets the key.
"""

from __future__ import annotations

import random
from collections.abc import Container, Iterator
from typing import Any

from penguiray.clock import Clock
from penguiray.graph.policies import FlowOptions
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.lanes import Lane, Lanes, Link
from penguiray.link.message import Facts, Hops, MessageQueue, Messages
from penguiray.link.transport import FrameTooLarge, Transport

__all__ = ["Sender"]


class Sender:
    """Queues messages by stage, cuts frames, and keeps within the credit of each link. Its owner sees to threads."""

    __slots__ = (
        "_clock", "_common", "_epoch", "_has_back", "_options", "_rng", "_source", "_stages", "_transport", "away_s",
        "queued",
    )  # fmt: skip

    def __init__(
        self,
        transport: Transport,
        options: FlowOptions,
        *,
        epoch: int,
        clock: Clock,
        rng: random.Random,
        source: int = -1,
    ) -> None:
        """Prepare.

        Args:
            transport: Carries the frames.
            options: The flow's limits.
            epoch: Epoch of the sender.
            clock: Where time comes from.
            rng: Draws the replicas among which a frame has the choice.
            source: The stage that sends; -1: the caller.
        """
        self._transport = transport
        self._options = options
        self._clock = clock
        self._rng = rng
        self._epoch = epoch
        self._source = source
        self._common: dict[Any, Any] | None = None
        self._stages: dict[int, Lanes] = {}
        self._has_back = False
        self.away_s = 0.0
        """For how long this process stood still lately, in seconds, see `Absence`; its owner says so."""
        self.queued = 0
        """Messages that wait here for their way on, for all stages together. Those on a way back are not counted; where
        there is no such way, nothing is to be sent when this is 0."""

    def connect(self, stage: int, replicas: int, *, is_back: bool = False) -> None:
        """Say how many replicas a stage has, and whether the way to it is a back edge."""
        self._stages[stage] = Lanes(stage, replicas, self._options, self._transport, is_back=is_back, rng=self._rng)
        self._has_back = self._has_back or is_back

    def offer(
        self,
        stage: int,
        root: int,
        message_id: int,
        value: Any,
        facts: Facts | None,
        hops: Hops | None = None,
        key: int | None = None,
    ) -> None:
        """Queue one message; `flush` sends it."""
        lane = self._stages[stage].lane_for(facts)
        lane.queue_for(key).add(root, message_id, value, facts, hops, key)
        self.queued += lane.counts

    def offer_all(self, stage: int, messages: Messages) -> None:
        """Queue many messages without keys, not on a way back."""
        to = self._stages[stage]
        if messages.facts:
            for lane, part in to.by_lane(messages):
                lane.waiting.extend(part)
        else:
            to.main.waiting.extend(messages)
        self.queued += len(messages.ids)

    def drop(self, roots: Container[int]) -> None:
        """Take back the messages of these roots that have not been sent."""
        for to in self._stages.values():
            for lane in to:
                for queue in lane.queues():
                    self.queued -= queue.drop(roots) * lane.counts

    def set_down(self, link: LinkId, *, is_down: bool) -> None:
        """A replica was lost, with what was on its way to it, and gets nothing more; or another one took its place."""
        if link.stage in self._stages:
            self._stages[link.stage].set_down(link.replica, is_down=is_down)

    def queued_ids(self) -> Iterator[int]:
        """Ids of the messages that wait here, and of those on their way that their receivers have not taken."""
        for to in self._stages.values():
            for lane in to:
                for queue in lane.queues():
                    yield from queue.ids
                for link in lane.links:
                    for frame_ids in link.on_the_way():
                        yield from frame_ids

    def control(self, kind: Kind, stage: int, *, call: int, messages: Messages | None = None) -> None:
        """Send a control word to every replica of a stage, behind the data that was sent before."""
        to = self._stages[stage]
        for link in to.main.links:
            if link.is_up:
                self._send(to, to.main, link, kind, messages or Messages([], [], []), call)

    def flush(self, *, full_only: bool = False) -> None:
        """Send all that the flush rule and the credit allow, or only what fills a frame and what is urgent."""
        if not (self.queued or self._has_back):
            return
        self._common = {} if len(self._stages) > 1 else None
        try:
            for to in self._stages.values():
                self._flush(to, full_only=full_only)
        finally:
            self._common = None

    def _flush(self, to: Lanes, *, full_only: bool) -> None:
        for lane in to:
            full = full_only and lane.kind is not Kind.HIGH
            while lane.waiting.ids and self._send_next(to, lane, lane.waiting, None, full_only=full):
                pass
            for replica, queue in lane.keyed.items():
                while queue.ids and self._send_next(to, lane, queue, lane.links[replica], full_only=full):
                    pass

    @property
    def has_waiting(self) -> bool:
        """Whether messages wait here for their way on, or back."""
        if not self._has_back:
            return self.queued > 0
        return any(queue.ids for to in self._stages.values() for lane in to for queue in lane.queues())

    @property
    def queued_bytes(self) -> float:
        """Bytes that they have, by the mean size of those that were sent; 0 where values go by reference."""
        if not self.queued:
            return 0.0
        return sum(to.queued * to.bytes_each for to in self._stages.values() if to.bytes_each)

    def main_lane(self, stage: int) -> Lane:
        """The lane to a stage of messages about which nothing is said; to be looked at only."""
        return self._stages[stage].main

    @property
    def most_bytes_each(self) -> float:
        """Mean size of a message on the way to the stage where that is largest; 0 as in `mean_bytes`."""
        return max((to.bytes_each for to in self._stages.values()), default=0.0)

    def mean_bytes(self, stage: int) -> float:
        """Mean size of a message on the way to a stage; 0 while unknown, and where values go by reference."""
        return self._stages[stage].bytes_each

    @property
    def rest_s(self) -> float:
        """What a message takes from here on, in seconds, by the quickest way: see `Feedback.rest_s`."""
        return min((to.rest_s for to in self._stages.values() if to.main.counts), default=0.0)

    def take_credit(self, link: LinkId, feedback: Feedback) -> None:
        """Take credit back; `flush` sends what waited for it."""
        self._stages[link.stage].note_taken(link.replica, feedback, self._clock.now(), self.away_s)

    def _send_next(self, to: Lanes, lane: Lane, queue: MessageQueue, only: Link | None, *, full_only: bool) -> bool:
        """Send one more frame of a queue, to the only replica that may get it or to any; whether one has gone."""
        waiting = len(queue.ids)
        if full_only and waiting < to.frame_limit(only):
            return False
        link = only or to.pick(lane, waiting, self._clock)
        if link is None:
            return False
        if waiting == 1 and link.is_idle:
            self._send_most(to, lane, link, queue, 1)
            return True
        limit = to.frame_limit(link)
        if not link.may_take(waiting, limit):
            return False
        share = -(-waiting // lane.idle) if only is None and not link.unanswered else waiting
        count = min(share, limit, link.credit.room())
        if count < 1:
            return False
        self._send_most(to, lane, link, queue, count)
        return True

    def _send_most(self, to: Lanes, lane: Lane, link: Link, queue: MessageQueue, count: int) -> None:
        """Send so many messages in a frame, or half of them, and so on, where their bytes are too many for one."""
        taken = queue.take(count)
        taken.source = self._source
        try:
            sent = self._send(to, lane, link, lane.kind, taken, 0)
        except FrameTooLarge:
            queue.put_back(taken)
            self._send_most(to, lane, link, queue, count // 2)
            return
        self.queued -= count * lane.counts
        to.note_size(count, sent)

    def _send(self, to: Lanes, lane: Lane, link: Link, kind: Kind, messages: Messages, call: int) -> int:
        sequence = to.next_sequence(link.id.replica)
        sent = self._transport.send(Frame(link.id, self._epoch, sequence, kind, messages, call, self._common))
        to.note_sent(lane, link, sequence, messages.ids, sent, self._clock.now())
        return sent

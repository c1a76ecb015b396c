"""What one process has on its way to the replicas of one stage: a lane for each priority, and the links in it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial

from penguiray.clock import Clock
from penguiray.graph.policies import LINK_MESSAGES, FlowOptions
from penguiray.link.choice import better_of_two
from penguiray.link.credit import Credit
from penguiray.link.frame import SERVED, Feedback, Kind, LinkId
from penguiray.link.key_groups import group_of, replica_of
from penguiray.link.load import Load, SentFrame
from penguiray.link.message import Facts, MessageQueue, Messages
from penguiray.link.transport import Transport

__all__ = ["Lane", "Lanes", "Link"]

FRAME_S = 0.1
"""Aim for the work in a frame, in seconds: a slow stage gets small frames, so that its replicas share evenly."""

_KINDS = {"high": Kind.HIGH, "normal": Kind.DATA, "low": Kind.LOW}


class Link:
    """One replica as seen from a lane."""

    __slots__ = ("credit", "id", "is_up", "load", "unanswered")

    def __init__(self, link: LinkId, credit: Credit, load: Load, *, is_up: bool) -> None:
        self.id = link
        self.credit = credit
        self.load = load
        """What is known of the replica, by all lanes together."""
        self.is_up = is_up
        """Whether the replica lives, as far as is known."""
        self.unanswered: dict[int, SentFrame] = {}
        """Each frame that its receiver has not taken, by sequence."""

    def may_take(self, waiting: int, limit: int) -> bool:
        """Whether it may have some of what waits: if nothing is on its way any, and a full frame ahead of need."""
        if self.is_idle:
            return True
        return waiting >= limit and len(self.unanswered) < self.load.frames_ahead(limit) and self.is_up

    @property
    def is_idle(self) -> bool:
        """Whether the replica lives, and nothing is on its way to it."""
        return self.is_up and not self.unanswered

    def on_the_way(self) -> Iterator[list[int]]:
        """Ids of the messages in each frame that its receiver has not taken."""
        return (frame.ids for frame in self.unanswered.values())


class Lane:
    """Messages of one kind that wait for a replica, and the links with their credit, which other lanes cannot use up.

    Any replica may get a message, but one with a key: all of a key go to one replica.
    """

    __slots__ = ("idle", "keyed", "kind", "links", "near", "waiting")

    def __init__(self, kind: Kind, links: list[Link]) -> None:
        self.near: Sequence[Link] | None = None
        """Links to replicas on this host, if there are others too; None while nobody has asked."""
        self.kind = kind
        self.links = links
        self.idle = sum(link.is_up for link in links)
        """Links to living replicas without a frame on the way."""
        self.waiting = MessageQueue()
        """Messages for any replica."""
        self.keyed: dict[int, MessageQueue] = {}
        """Messages with a key, by the number of the replica that gets them."""

    def queue_for(self, key: int | None) -> MessageQueue:
        """Where a message with the hash of this key waits."""
        if key is None:
            return self.waiting
        replica = replica_of(group_of(key), len(self.links))
        queue = self.keyed.get(replica)
        if queue is None:
            queue = self.keyed[replica] = MessageQueue()
        return queue

    def queues(self) -> Iterator[MessageQueue]:
        """All queues of the lane."""
        yield self.waiting
        yield from self.keyed.values()

    @property
    def counts(self) -> bool:
        """Whether what waits here may hold up the stage that gave it.

        What is on a way back may not: a loop could wait for itself. The budgets of its roots bound it.
        """
        return self.kind is not Kind.BACK


class Lanes:
    """All that is under way to one stage."""

    __slots__ = (
        "_down", "_lanes", "_loads", "_options", "_rng", "_sequences", "_stage", "_transport", "bytes_each", "main",
        "rest_s", "service_s",
    )  # fmt: skip

    def __init__(
        self,
        stage: int,
        replicas: int,
        options: FlowOptions,
        transport: Transport,
        *,
        is_back: bool,
        rng: random.Random,
    ) -> None:
        self._stage = stage
        self._options = options
        self._transport = transport
        self._rng = rng
        self._loads = [Load() for _ in range(replicas)]
        self._sequences = [0] * replicas
        self._down: set[int] = set()
        self._lanes: dict[Kind, Lane] = {}
        self.main = self._lane(Kind.BACK if is_back else Kind.DATA)
        """The lane of messages about which nothing is said, and of control words."""
        self.bytes_each = 0.0
        """Mean size of a message; 0 while unknown, and where values go by reference."""
        self.service_s = 0.0
        """Mean time for a message in a replica, in seconds; 0 while unknown."""
        self.rest_s = 0.0
        """See `Feedback.rest_s`."""

    def __iter__(self) -> Iterator[Lane]:
        """The lanes, in the order in which they are served."""
        return iter(self._lanes.values())

    def lane_for(self, facts: Facts | None) -> Lane:
        """The lane for messages of an input about which the caller said this."""
        if facts is None or not self.main.counts:
            return self.main
        return self._lane(_KINDS[facts.priority])

    def by_lane(self, messages: Messages) -> Iterator[tuple[Lane, Messages]]:
        """Split messages, none of them on a way back, by their lanes."""
        kinds = {root: _KINDS[facts.priority] for root, facts in messages.facts.items()}
        if not any(kind is not Kind.DATA for kind in kinds.values()):
            yield self.main, messages
            return
        places: dict[Kind, list[int]] = {}
        for index, root in enumerate(messages.roots):
            places.setdefault(kinds.get(root, Kind.DATA), []).append(index)
        for kind, indices in places.items():
            yield self._lane(kind), messages.pick(indices)

    def _lane(self, kind: Kind) -> Lane:
        if kind not in self._lanes:
            links = [self._link(number) for number in range(len(self._sequences))]
            lanes = {**self._lanes, kind: Lane(kind, links)}
            self._lanes = {known: lanes[known] for known in SERVED if known in lanes}
        return self._lanes[kind]

    def _link(self, number: int) -> Link:
        credit = Credit(self._options.link_messages or LINK_MESSAGES, self._options.link_bytes)
        return Link(LinkId(self._stage, number), credit, self._loads[number], is_up=number not in self._down)

    def set_down(self, number: int, *, is_down: bool) -> None:
        """A replica was lost, with all that was on its way to it; or there is another one in its place."""
        (self._down.add if is_down else self._down.discard)(number)
        self._loads[number] = Load()
        for lane in self:
            lane.links[number] = self._link(number)
            lane.near = None
            lane.idle = sum(link.is_up and not link.unanswered for link in lane.links)

    def next_sequence(self, replica: int) -> int:
        """Number of the next frame to a replica: lanes count together."""
        return self._sequences[replica]

    def frame_limit(self, link: Link | None = None) -> int:
        """Messages in a full frame, by count, by bytes and by the time they take, in one replica or in any."""
        limit = self._options.frame_messages
        if self.bytes_each > 0:
            limit = min(limit, int(self._transport.frame_bytes(self._stage, limit * self.bytes_each) / self.bytes_each))
        service_s = (link.load.service_s if link is not None else 0.0) or self.service_s
        if service_s > 0:
            limit = min(limit, int(FRAME_S / service_s))
        return max(1, limit)

    def pick(self, lane: Lane, waiting: int, clock: Clock) -> Link | None:
        """The link for the next frame for any replica, if it may take one; None if all have enough on their way.

        Of two that are drawn, and one on this host, it is the one where a message would be finished first.
        """
        if len(lane.links) == 1:
            return lane.links[0]
        if not lane.idle and waiting < self.frame_limit():
            return None
        if lane.near is None:
            lane.near = self._near(lane)
        now = clock.now()
        return better_of_two(
            lane.links,
            lane.near,
            self._rng,
            may=partial(self._may_take, waiting),
            cost=lambda link: link.load.cost_s(now, self.service_s, self.bytes_each),
        )

    def _may_take(self, waiting: int, link: Link) -> bool:
        """Whether a replica may have some of so many messages that wait."""
        if not link.unanswered:  # one always passes, see `Credit.room`
            return link.is_up
        return link.may_take(waiting, self.frame_limit(link)) and link.credit.room() > 0

    def _near(self, lane: Lane) -> Sequence[Link]:
        for link in lane.links:
            if link.load.is_near is None and link.is_up:
                link.load.is_near = self._transport.is_near(link.id)
        near = [link for link in lane.links if link.load.is_near]
        return near if len(near) < len(lane.links) else ()

    def note_sent(self, lane: Lane, link: Link, sequence: int, ids: list[int], body_bytes: int, now: float) -> None:
        """A frame is on its way."""
        if len(lane.links) > 1:
            link.load.note_sent(len(ids), now, self.service_s)
        self._sequences[link.id.replica] = sequence + 1
        lane.idle -= not link.unanswered
        link.unanswered[sequence] = SentFrame(ids, body_bytes, now, is_first=not link.unanswered)
        link.credit.take(len(ids), body_bytes)

    def note_size(self, messages: int, body_bytes: int) -> None:
        """So many messages had so many bytes."""
        if body_bytes:
            self.bytes_each += (body_bytes / messages - self.bytes_each) / (4 if self.bytes_each else 1)

    def note_taken(self, replica: int, feedback: Feedback, now: float, away_s: float) -> None:
        """A frame was taken by its receiver: its credit is free. One that was lost since is not known any more.

        `away_s` says for how long this process stood still lately.
        """
        for lane in self._lanes.values():
            link = lane.links[replica]
            frame = link.unanswered.pop(feedback.sequence, None)
            if frame is not None:
                break
        else:
            return
        link.credit.grant(len(frame.ids), frame.body_bytes)
        lane.idle += not link.unanswered
        if feedback.service_s > 0:
            self.service_s = feedback.service_s
        if feedback.rest_s > 0:
            self.rest_s = feedback.rest_s
        load = link.load
        load.note_heard(feedback, frame, link.credit.messages_out, now, away_s=away_s)
        if load.lag_s and self._options.link_messages is None:
            limit = self.frame_limit(link)
            link.credit.widen(max(LINK_MESSAGES, limit * load.frames_ahead(limit)))

    @property
    def queued(self) -> int:
        """Messages that wait, those on a way back left out."""
        return sum(len(queue) for lane in self if lane.counts for queue in lane.queues())

"""Senders and replicas as a queueing network in virtual time: the senders are real, the rest is a few numbers."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from penguiray.graph.policies import FlowOptions
from penguiray.link.frame import Feedback, Frame, LinkId
from penguiray.link.sender import Sender


class Events:
    """A clock that jumps from event to event."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self._now + seconds, next(self._numbers), what))

    def run(self, until: float) -> None:
        while self._queue and self._queue[0][0] <= until:
            self._now, _, what = heapq.heappop(self._queue)
            what()
        self._now = until


@dataclass
class _Waiting:
    sequence: int
    messages: int
    came_at: float
    answer: Callable[[Feedback], None]
    is_new: bool = True


@dataclass
class Server:
    """A replica: so many calls at once, of a mean time; says what a replica says in its feedback."""

    events: Events
    service_s: float
    calls: int = 1
    rng: random.Random | None = None
    """Makes calls take between half and twice their mean, and the mean that it says a little wrong. None: neither."""
    says_wait: bool = True
    frame_s: float = 0.0
    """What a frame takes besides its messages."""
    busy: int = 0
    busy_s: float = 0.0
    done: int = 0
    waiting: deque[_Waiting] = field(default_factory=deque)

    @property
    def is_busy(self) -> bool:
        return self.busy >= self.calls or bool(self.waiting)

    def take(self, frame: Frame, answer: Callable[[Feedback], None]) -> None:
        self.waiting.append(_Waiting(frame.sequence, len(frame.messages), self.events.now(), answer))
        self._work()

    def _work(self) -> None:
        while self.waiting and self.busy < self.calls:
            first = self.waiting[0]
            self.busy += 1
            took_s = self.service_s * self.rng.choice((0.5, 0.5, 1.0, 2.0)) if self.rng else self.service_s
            if first.is_new:
                took_s, first.is_new = took_s + self.frame_s, False
            first.messages -= 1
            self.busy_s += took_s
            self.events.after(took_s, self._end)
            if not first.messages:
                self.waiting.popleft()
                first.answer(self._feedback(first))

    def _feedback(self, taken: _Waiting) -> Feedback:
        each_s = self.service_s / self.calls * (self.rng.uniform(0.85, 1.15) if self.rng else 1.0)
        ahead = max(0, self.busy + sum(one.messages for one in self.waiting) - self.calls + 1)
        wait_s = ahead * each_s if self.says_wait else 0.0
        return Feedback(taken.sequence, each_s, wait_s=wait_s, held_s=self.events.now() - taken.came_at)

    def _end(self) -> None:
        self.busy -= 1
        self.done += 1
        self._work()


@dataclass
class Net:
    """Senders, servers, and the ways between them."""

    events: Events
    servers: Sequence[Server]
    way_s: float = 0.0001
    """One way to a server on the senders' host, in seconds."""
    near: frozenset[int] | None = None
    """Servers on the host of the senders. None: all."""
    away_s: float = 0.001
    """One way to the others, in seconds."""
    bytes_each: int = 100
    frame_bytes: int = 90_000
    """Aim for those of a frame."""
    away: Callable[[float], float] = lambda _: 0.0
    """For how long from a moment on the senders read nothing, in seconds."""
    arrived: int = 0
    misled: int = 0
    """Messages that came to a busy server while another one had nothing to do."""

    def sender(self, seed: int, options: FlowOptions | None = None) -> Sender:
        end = _End(self)
        end.sender = Sender(end, options or FlowOptions(), epoch=1, clock=self.events, rng=random.Random(seed))
        end.sender.connect(0, len(self.servers))
        return end.sender

    def offer(self, sender: Sender, count: int = 1) -> None:
        for _ in range(count):
            sender.offer(0, 1, 1, None, None)
        sender.flush()


@dataclass
class _End:
    """A sender's end of its links."""

    net: Net
    sender: Sender = field(init=False)

    def send(self, frame: Frame) -> int:
        self.net.events.after(self._way_s(frame.link), lambda: self._arrive(frame))
        return len(frame.messages) * self.net.bytes_each

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        return self.net.frame_bytes

    def is_near(self, link: LinkId) -> bool:
        return self.net.near is None or link.replica in self.net.near

    def _way_s(self, link: LinkId) -> float:
        return self.net.way_s if self.is_near(link) else self.net.away_s

    def _arrive(self, frame: Frame) -> None:
        net, server = self.net, self.net.servers[frame.link.replica]
        net.arrived += len(frame.messages)
        if server.is_busy and any(not other.is_busy for other in net.servers):
            net.misled += len(frame.messages)
        back_s = self._way_s(frame.link)
        server.take(frame, lambda feedback: net.events.after(back_s, lambda: self._answer(frame.link, feedback)))

    def _return(self, away_s: float, link: LinkId, feedback: Feedback) -> None:
        self.sender.away_s = max(self.sender.away_s, away_s)
        self._answer(link, feedback)

    def _answer(self, link: LinkId, feedback: Feedback) -> None:
        away_s = self.net.away(self.net.events.now())
        if away_s:
            self.net.events.after(away_s, lambda: self._return(away_s, link, feedback))
            return
        self.sender.take_credit(link, feedback)
        self.sender.flush()

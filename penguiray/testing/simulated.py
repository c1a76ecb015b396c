"""An engine whose replicas die, in virtual time: what happens on a cluster in minutes takes a test milliseconds.

Each replica is a process of its own, as on Ray: frames, answers and reports are on their way for a while, and are lost
with who sent or would have received them. What is tested is the same code that works on Ray: replicas, senders, the
caller's side, and `Recovery`, to which this engine lends its hands.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from penguiray.clock import Clock
from penguiray.control.silence import Silence
from penguiray.errors import PenguirayError, ReplicaLost
from penguiray.ingress.recovery import Answered, Recovery
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, Kind, LinkId
from penguiray.link.peers import PeerNews, Peers, epoch_of
from penguiray.link.report import Report
from penguiray.link.transport import Transport
from penguiray.link.wire import carry_small
from penguiray.local import LocalEngine, shuffled
from penguiray.plan.plan import Plan, Stage
from penguiray.runtime.rate import Grant
from penguiray.runtime.replica import Replica

__all__ = ["MOMENTS", "Faults", "SimulatedEngine"]

CUT_S = (0.5, 30.0)
"""How long a process is cut off."""

MOMENTS = (
    "a frame leaves",
    "a frame came",
    "a frame was taken",
    "a report is due",
    "a report left",
    "a loss is told",
    "it says what it holds",
    "a successor opens",
)
"""When a process may die, or be cut off."""

_NOTICE_S = 0.03
"""Longest until a death is noticed."""
_OPEN_S = (0.05, 0.5)
"""How long it takes to create a successor."""
_TICK_S = 1.0
_STILL_S = 600.0
"""A run from which nothing is heard for so long, while losses are being made good, never ends."""


@dataclass
class Faults:
    """What goes wrong in a simulated run; its lists tell afterwards what did."""

    kills: int = 3
    """Most processes that die."""
    cuts: int = 0
    """Most times that a process is cut off: for a while nothing reaches it, or nothing that it sends arrives, or both.
    Then all of it arrives, also what comes from one that was replaced meanwhile."""
    chance: float = 0.05
    """That one dies, and that one is cut off, at each of the moments that comes."""
    moments: Sequence[str] = MOMENTS
    """The moments at which that may happen."""
    cpus: int = 2
    """For which the flow is planned: a stage may have so many replicas."""
    delay_s: float = 0.01
    """Longest time that anything is on its way, besides what goes before it."""
    deaths: list[tuple[float, str, LinkId]] = field(default_factory=list)
    """Time, moment and replica of each death."""
    silences: list[tuple[float, float, str, LinkId]] = field(default_factory=list)
    """Beginning, end, direction (in, out, or both) and replica of each time that one was cut off."""

    def histogram(self) -> Counter[str]:
        """How many died at each moment."""
        return Counter(moment for _, moment, _ in self.deaths)


class _Member:
    """A process: its replica, and who it thinks the others are."""

    def __init__(self, link: LinkId, generation: int) -> None:
        self.link = link
        self.generation = generation
        self.replica: Replica
        self.places: dict[LinkId, _Member] = {}
        self.peers = Peers()
        self.task: asyncio.Task[None] | None = None
        self.is_alive = True
        self.deaf_until = 0.0
        self.mute_until = 0.0
        self.silent_from = float("inf")
        """What would arrive later than that was still with it when it died."""
        self.has_news = False
        self.is_collected = False
        self.has_new_first = asyncio.Event()


class SimulatedEngine(LocalEngine):
    """A local engine with several replicas of a stage, which die as `Faults` say and are replaced."""

    outlives_replicas = True

    def __init__(self, plan: Plan, faults: Faults, *, seed: int, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        """Prepare; nothing runs before `open`.

        Args:
            plan: What to run.
            faults: What goes wrong.
            seed: The same seed gives the same faults.
            clock: Virtual time.
            loop: A fresh loop with that time.
        """
        self._faults = faults
        self._chance = random.Random(seed)  # noqa: S311 - faults, not a secret
        self._members: dict[LinkId, _Member] = {}
        self._places: dict[LinkId, _Member] = {}
        self._opened: set[LinkId] = set()
        self._arrivals: dict[tuple[_Member | None, _Member, str], float] = {}
        self._silence = Silence(clock.now())
        self._is_ticking = False
        self._heard_at = 0.0
        super().__init__(plan, seed=seed, clock=clock, loop=loop)
        self._recovery = Recovery(plan, self.ingress, self.lock, self, clock)
        self._places = dict(self._members)
        for member in self._members.values():
            member.places = dict(self._members)

    def _sized(self, plan: Plan) -> Plan:
        return plan

    def _open_door(self) -> Transport:
        return _Line(self, None, self._refuse_input)

    # -- processes

    def _replica(self, stage: Stage, number: int, *, generation: int = 0) -> Replica:
        link = LinkId(stage.index, number)
        member = self._members[link] = _Member(link, generation)

        def refuse(root: int, message_id: int, error: CarriedError) -> None:
            member.replica.outbox.refuse(root, message_id, error)

        member.replica = Replica(
            stage,
            self.plan.options,
            _Line(self, member, refuse),
            epoch=self._epoch,
            clock=self.clock,
            rng=self._rng,
            on_news=lambda: self._note_member(member),
            inline=True,
            ask_first=partial(self._ask_first, member) if number else None,
            own_epoch=epoch_of(self._epoch, link, generation),
            is_successor=generation > 0,
        )
        for edge in stage.edges:
            member.replica.connect(edge.target, self.plan.stages[edge.target].replicas)
        return member.replica

    async def _run(self, link: LinkId) -> None:
        member = self._members[link]
        member.task = asyncio.current_task()
        self._opened.add(link)
        try:
            await member.replica.run()
        except BaseException as error:
            if not member.is_alive:
                return
            if self._state != "stopped":
                self._fail(link, error)
            raise

    def _send(
        self, sender: _Member | None, receiver: _Member | None, function: Callable[..., None], *arguments: Any
    ) -> None:
        """Something is on its way; None is the caller's side."""
        self._loop.call_at(self._arrival(sender, receiver), function, *arguments)

    def _arrival(self, sender: _Member | None, receiver: _Member | None) -> float:
        """When it will be there, if nothing goes before it."""
        begins = max(
            self.clock.now(),
            0.0 if sender is None else sender.mute_until,
            0.0 if receiver is None else receiver.deaf_until,
        )
        return begins + self._chance.uniform(0.0, self._faults.delay_s)

    def _may_fail(self, member: _Member | None, moment: str) -> None:
        """One of the moments has come: a process may die, or be cut off."""
        self._may_be_cut_off(member, moment)
        self._may_die(member, moment)

    def _may_be_cut_off(self, member: _Member | None, moment: str) -> None:
        faults, now = self._faults, self.clock.now()
        if member is None or len(faults.silences) >= faults.cuts or max(member.deaf_until, member.mute_until) > now:
            return
        if moment in faults.moments and self._chance.random() < faults.chance:
            until, way = now + self._chance.uniform(*CUT_S), self._chance.choice(["in", "out", "both"])
            member.deaf_until = until if way != "out" else 0.0
            member.mute_until = until if way != "in" else 0.0
            faults.silences.append((now, until, way, member.link))
            self._start_ticking()

    def _may_die(self, member: _Member | None, moment: str) -> None:
        faults = self._faults
        if member is None or not member.is_alive or self._state != "running":
            return
        if member.link.stage in self.plan.unrepeatable or len(faults.deaths) >= faults.kills:
            return
        if moment in faults.moments and self._chance.random() < faults.chance:
            self._kill(member, moment)

    def _kill(self, member: _Member, moment: str) -> None:
        self._faults.deaths.append((self.clock.now(), moment, member.link))
        self._end(member)
        self._loop.call_later(self._chance.uniform(0.0, _NOTICE_S), self._notice, member, moment)

    def _end(self, member: _Member) -> None:
        member.is_alive = False
        member.silent_from = self.clock.now() + self._chance.uniform(0.0, self._faults.delay_s)
        if member.task is not None:
            member.task.cancel()

    def _notice(self, member: _Member, moment: str) -> None:
        self._lose(member, f"it died when {moment}")

    def _lose(self, member: _Member, why: str, *, by_us: bool = False) -> None:
        link = member.link
        if self._members[link] is not member or link in self._recovery.down or self._state != "running":
            return
        if by_us:  # it goes on for a while, as on a host that is cut off
            self._loop.call_later(self._chance.uniform(0.0, CUT_S[1]), self._end, member)
        if self._recovery.may_replace(link):
            self._silence.forget(link)
            self._recovery.replace(link, why, by_us=by_us)
            self._start_ticking()
            return
        name = self.plan.stages[link.stage].name
        with self.lock:
            self.ingress.fail(ReplicaLost(f"replica {link.replica} of {name!r} was lost: {why}", node=name))

    def _start_ticking(self) -> None:
        if not self._is_ticking:
            self._is_ticking, self._heard_at = True, self.clock.now()
            self._loop.call_later(_TICK_S, self._tick)

    def _tick(self) -> None:
        now = self.clock.now()
        members = [self._members[link] for link in self._opened if link.stage not in self.plan.unrepeatable]
        cut_off = [member for member in members if max(member.deaf_until, member.mute_until) > now]
        for member in members:
            if member not in cut_off and member.is_alive:
                self._silence.heard(member.link)
        silent = self._silence.look([member.link for member in members], now)
        for link in self._recovery.listen(silent):
            self._lose(self._members[link], "it was silent", by_us=True)
        self._recovery.tick()
        self._is_ticking = self._recovery.is_busy or bool(cut_off)
        if self._is_ticking and self.clock.now() > self._heard_at + _STILL_S:
            self._is_ticking = False
            with self.lock:
                self.ingress.fail(PenguirayError(f"the run stands still since {self._heard_at:g} s of virtual time"))
        elif self._is_ticking:
            self._loop.call_later(_TICK_S, self._tick)

    # -- frames

    def leave(self, sender: _Member | None, frame: Frame) -> None:
        """A frame sets out."""
        if sender is not None and not sender.is_alive:
            return
        receiver = (self._places if sender is None else sender.places)[frame.link]
        way = (sender, receiver, _lane(frame.kind))
        arrival = self._arrivals[way] = max(self._arrival(sender, receiver), self._arrivals.get(way, 0.0) + 1e-9)
        self._loop.call_at(arrival, self._arrive, sender, receiver, frame)
        self._may_fail(sender, "a frame leaves")

    def _arrive(self, sender: _Member | None, receiver: _Member, frame: Frame) -> None:
        if sender is not None and self.clock.now() > sender.silent_from:
            return
        self._may_fail(receiver, "a frame came")
        if receiver.is_alive:
            receiver.replica.receive(shuffled(frame, self._rng), partial(self._taken, sender, receiver))

    def _taken(self, sender: _Member | None, receiver: _Member, feedback: Feedback) -> None:
        self._may_fail(receiver, "a frame was taken")
        if receiver.is_alive:
            self._send(receiver, sender, self._answer, sender, receiver, feedback)

    def _answer(self, sender: _Member | None, receiver: _Member, feedback: Feedback) -> None:
        link = receiver.link
        if (self._places if sender is None else sender.places)[link] is not receiver:
            return
        if sender is None:
            self._feed_ingress(link, feedback)
        elif sender.is_alive:
            sender.replica.on_feedback(link, feedback)

    # -- news

    def _note_member(self, member: _Member) -> None:
        member.has_news = True
        if not member.is_collected:
            member.is_collected = True
            self._send(None, member, self._collect, member)

    def _collect(self, member: _Member) -> None:
        self._may_fail(member, "a report is due")
        if not member.is_alive:
            return
        member.has_news = False
        report = member.replica.outbox.take_report()
        carry_small(report, self.plan.options.max_message_bytes, node=self.plan.stages[member.link.stage].last.name)
        self._send(member, None, self._bring, member, report)
        self._may_fail(member, "a report left")

    def _bring(self, member: _Member, report: Report) -> None:
        if self._members[member.link] is not member or self._state == "stopped":
            return
        self._heard_at = self.clock.now()
        with self.lock:
            self.ingress.on_report(member.link, report)
        self._recovery.note_report()
        if report.begun:
            self._send(None, member, member.replica.outbox.note_known)
        member.is_collected = False
        if member.has_news:
            self._note_member(member)

    def _cancel(self, roots: Sequence[int], calls: Sequence[int]) -> None:
        for member in list(self._members.values()):
            self.call_soon(self._send, None, member, self._drop, member, roots, calls)

    def _drop(self, member: _Member, roots: Sequence[int], calls: Sequence[int]) -> None:
        member.replica.note_cancelled(roots, calls)
        member.replica.drop_cancelled()

    async def _ask_first(self, member: _Member, place: int, begun: int, want: int) -> Grant:
        while True:
            member.has_new_first.clear()
            first = member.places[LinkId(member.link.stage, 0)]
            await asyncio.sleep(self._chance.uniform(0.0, self._faults.delay_s))
            if first.is_alive:
                return first.replica.rates[place].ask(begun, want, member.link.replica)
            await member.has_new_first.wait()

    # -- the hands of recovery

    def working(self) -> Iterable[LinkId]:
        """See `Hands`."""
        return self._opened

    def place_of(self, link: LinkId) -> Any:
        """See `Hands`."""
        return self._members[link]

    def epoch_of(self, link: LinkId) -> int:
        """See `Hands`."""
        return epoch_of(self._epoch, link, self._members[link].generation)

    def tell(self, link: LinkId, news: Sequence[PeerNews], answered: Answered) -> None:
        """See `Hands`."""
        self._send(None, self._members[link], self._hear, self._members[link], news, answered)

    def _hear(self, member: _Member, news: Sequence[PeerNews], answered: Answered) -> None:
        self._may_fail(member, "a loss is told")
        for link, place in member.peers.new(news) if member.is_alive else ():
            if place is not None:
                member.places[link] = place
                if link == LinkId(member.link.stage, 0):
                    member.has_new_first.set()
            elif link.stage == member.link.stage:
                for keeper in member.replica.rates.values():
                    keeper.lose(link.replica)
            member.replica.outbox.set_down(link, is_down=place is None)
        member.replica.refused = member.peers.gone
        self._send(member, None, answered, member.link, None)

    def ask_held(self, link: LinkId, answered: Answered) -> None:
        """See `Hands`."""
        self._send(None, self._members[link], self._say_held, self._members[link], answered)

    def _say_held(self, member: _Member, answered: Answered) -> None:
        self._may_fail(member, "it says what it holds")
        self._send(member, None, answered, member.link, member.replica.held() if member.is_alive else None)

    def create(self, link: LinkId, after_s: float) -> None:
        """See `Hands`."""
        self._opened.discard(link)
        self._loop.call_later(after_s + self._chance.uniform(*_OPEN_S), self._create, link)

    def _create(self, link: LinkId) -> None:
        if self._state == "running":
            self._replicas[link] = self._replica(
                self.plan.stages[link.stage], link.replica, generation=self._members[link].generation + 1
            )
            self._members[link].places = dict(self._members)
            self._tasks.append(self._loop.create_task(self._open_successor(self._members[link])))

    async def _open_successor(self, member: _Member) -> None:
        link = member.link
        await member.replica.set_up_host()
        await member.replica.open()
        self._may_fail(member, "a successor opens")
        if not member.is_alive:
            self._recovery.failed(link)
            return  # its death is noticed as any other
        self._places[link] = member
        self._tasks.append(self._loop.create_task(self._run(link)))
        self._opened.add(link)
        self._recovery.ready(link)

    async def _close(self, *, finish: bool) -> None:
        for member in self._members.values():
            if not member.is_alive and member.task is not None:
                with contextlib.suppress(asyncio.CancelledError):
                    await member.task
        await super()._close(finish=finish)


class _Line:
    """A process's end of all its links."""

    def __init__(self, engine: SimulatedEngine, sender: _Member | None, refuse: Callable[..., None]) -> None:
        self._engine = engine
        self._sender = sender
        self._refuse = refuse

    def send(self, frame: Frame) -> int:
        """See `Transport`; values go by reference."""
        if self._sender is None:
            self._engine.call_soon(self._engine.leave, None, frame)
        else:
            self._engine.leave(self._sender, frame)
        return 0

    def frame_bytes(self, stage: int, full_bytes: float) -> float:  # noqa: ARG002 - see `Transport`
        """See `Transport`; values have no size here."""
        return full_bytes

    def is_near(self, link: LinkId) -> bool:
        """See `Transport`; every other replica is on another host."""
        return link.replica % 2 == 0


def _lane(kind: Kind) -> str:
    """Frames of one lane do not overtake each other; see `CallTransport`."""
    return "first" if kind in {Kind.BACK, Kind.HIGH} else "low" if kind is Kind.LOW else "main"

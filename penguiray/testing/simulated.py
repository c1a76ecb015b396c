"""An engine whose replicas die, in virtual time: what happens on a cluster in minutes takes a test milliseconds.

Each replica is a process of its own, as on Ray: frames, answers and reports are on their way for a while, and are lost
with who sent or would have received them. What is tested is the same code that works on Ray: replicas, senders, the
caller's side, and `Recovery`, to which this engine lends its hands.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from penguiray.actors.calls import Answered as AnsweredCall
from penguiray.actors.in_turn import InTurn
from penguiray.actors.letters import feedback_of
from penguiray.actors.streams import Reported, StreamTransport
from penguiray.clock import Clock
from penguiray.control.silence import Silence
from penguiray.errors import PenguirayError, ReplicaLost
from penguiray.ingress.recovery import Answered, Recovery
from penguiray.link.frame import Feedback, LinkId
from penguiray.link.peers import PeerNews, epoch_of
from penguiray.link.report import Report
from penguiray.link.transport import Transport
from penguiray.link.wire import Bytes, Packed, Refused, unpack_report
from penguiray.local import LocalEngine
from penguiray.plan.plan import Plan, Stage
from penguiray.runtime.replica import Replica
from penguiray.testing.faults import Faults
from penguiray.testing.simulated_links import Party, Pipe, SimulatedCalls, knock
from penguiray.testing.simulated_process import SimulatedProcess

__all__ = ["SimulatedEngine"]

CUT_S = (0.5, 30.0)
"""How long a process is cut off."""

_NOTICE_S = 0.03
"""Longest until a death is noticed."""
_OPEN_S = (0.05, 0.5)
"""How long it takes to create a successor."""
_TICK_S = 1.0
_STILL_S = 600.0
"""A run from which nothing is heard for so long, while losses are being made good, never ends."""


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
        self.faults = faults
        self._chance = random.Random(seed)  # noqa: S311 - faults, not a secret
        self._members: dict[LinkId, SimulatedProcess] = {}
        self.caller = Party(host=0)
        self._in_turn: InTurn[tuple[Report, Callable[[], None] | None]] = InTurn()
        self._opened: set[LinkId] = set()
        self._arrivals: dict[object, float] = {}
        self._silence = Silence(clock.now())
        self._is_ticking = False
        self._heard_at = 0.0
        self.loop = loop
        super().__init__(plan, seed=seed, clock=clock, loop=loop)
        self._recovery = Recovery(plan, self.ingress, self.lock, self, clock)
        for party in (None, *self._members.values()):
            self._connect(party)

    def _sized(self, plan: Plan) -> Plan:
        return plan

    @property
    def epoch(self) -> int:
        """Of the run."""
        return self._epoch

    @property
    def rng(self) -> random.Random:
        """Draws what is drawn at random without anything going wrong."""
        return self._rng

    def _open_door(self) -> Transport:
        self.transport = self.transport_of(
            self.caller,
            self._take_answer,
            self._feed_ingress,
            self._refuse_input,
            lock=self.lock,
            on_report=self._take_packed,
        )
        return self.transport

    def transport_of(
        self,
        party: Party,
        on_answer: AnsweredCall,
        on_feedback: Callable[[LinkId, Feedback], None],
        on_refused: Refused,
        *,
        lock: AbstractContextManager[Any] | None = None,
        on_report: Reported | None = None,
    ) -> StreamTransport:
        """A process's end of all its links."""
        options = self.plan.options
        calls = SimulatedCalls(
            self, party, clock=self.clock, options=options, on_answer=on_answer, on_refused=on_refused
        )
        return StreamTransport(
            calls,
            lock or contextlib.nullcontext(),
            on_feedback=on_feedback,
            on_report=on_report,
            knock=partial(knock, self, party),
        )

    # -- processes

    def _replica(self, stage: Stage, number: int, *, generation: int = 0) -> Replica:
        link = LinkId(stage.index, number)
        member = self._members[link] = SimulatedProcess(self, link, generation)
        return member.replica

    def _connect(self, party: SimulatedProcess | None) -> None:
        """Say to a process who the others are."""
        peers = {
            stage.index: [self.place_of(LinkId(stage.index, number)) for number in range(stage.replicas)]
            for stage in self.plan.stages
        }
        (self.transport if party is None else party.transport).connect(peers, self.loop)
        if party is not None:
            party.first = self._members[LinkId(party.link.stage, 0)]

    async def _run(self, link: LinkId) -> None:
        member = self._members[link]
        member.task = asyncio.current_task()
        self._opened.add(link)
        self._collect(member)
        try:
            await member.replica.run()
        except BaseException as error:
            if not member.is_alive:
                return
            if self._state != "stopped":
                self._fail(link, error)
            raise

    def set_out(self, sender: Party, function: Callable[..., None], *arguments: Any) -> None:
        """See `World`."""
        if sender is self.caller:
            self.call_soon(function, *arguments)
        elif sender.is_alive:
            function(*arguments)

    def bring(
        self, sender: Party, receiver: Party, way: object, function: Callable[..., None], *arguments: Any
    ) -> None:
        """See `World`; None is a way on which nothing is before anything."""
        arrival = max(self.clock.now(), sender.mute_until, receiver.deaf_until) + self.delay_s()
        if way is not None:
            arrival = self._arrivals[way] = max(arrival, self._arrivals.get(way, 0.0) + 1e-9)
        self._loop.call_at(arrival, self._arrive, sender, function, arguments)

    def _arrive(self, sender: Party, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if self.clock.now() <= sender.silent_from:
            function(*arguments)

    def tell_later(self, most_s: float, function: Callable[[], None]) -> None:
        """See `World`."""
        self._loop.call_later(self._chance.uniform(0.0, most_s), function)

    def delay_s(self) -> float:
        """How long something is on its way."""
        return self._chance.uniform(0.0, self.faults.delay_s)

    def may_break(self, pipe: Pipe) -> None:
        """See `World`."""
        faults = self.faults
        if len(faults.broken) < faults.breaks and self._chance.random() < faults.chance and self._state == "running":
            faults.broken.append(self.clock.now())
            pipe.cut()
            self._start_ticking()

    def may_fail(self, party: Party, moment: str) -> None:
        """One of the moments has come: a process may die, or be cut off."""
        self._may_be_cut_off(party, moment)
        self._may_die(party, moment)

    def _may_be_cut_off(self, member: Party, moment: str) -> None:
        faults, now = self.faults, self.clock.now()
        if (
            not isinstance(member, SimulatedProcess)
            or len(faults.silences) >= faults.cuts
            or max(member.deaf_until, member.mute_until) > now
        ):
            return
        if moment in faults.moments and self._chance.random() < faults.chance:
            until, way = now + self._chance.uniform(*CUT_S), self._chance.choice(["in", "out", "both"])
            member.deaf_until = until if way != "out" else 0.0
            member.mute_until = until if way != "in" else 0.0
            faults.silences.append((now, until, way, member.link))
            self._start_ticking()

    def _may_die(self, member: Party, moment: str) -> None:
        faults = self.faults
        if not isinstance(member, SimulatedProcess) or not member.is_alive or self._state != "running":
            return
        if member.link.stage in self.plan.unrepeatable or len(faults.deaths) >= faults.kills:
            return
        if moment in faults.moments and self._chance.random() < faults.chance:
            self._kill(member, moment)

    def _kill(self, member: SimulatedProcess, moment: str) -> None:
        self.faults.deaths.append((self.clock.now(), moment, member.link))
        self._end(member)
        self._loop.call_later(self._chance.uniform(0.0, _NOTICE_S), self._notice, member, moment)

    def _end(self, member: SimulatedProcess) -> None:
        member.is_alive = False
        member.silent_from = self.clock.now() + self._chance.uniform(0.0, self.faults.delay_s)
        if member.task is not None:
            member.task.cancel()
        for pipe in member.pipes:
            pipe.cut()

    def _notice(self, member: SimulatedProcess, moment: str) -> None:
        self._lose(member, f"it died when {moment}")

    def _lose(self, member: SimulatedProcess, why: str, *, by_us: bool = False) -> None:
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
        self._is_ticking = (
            self._recovery.is_busy or bool(cut_off) or bool(self.faults.broken and self.ingress.roots_live)
        )
        if self._is_ticking and self.clock.now() > self._heard_at + _STILL_S:
            self._is_ticking = False
            with self.lock:
                self.ingress.fail(PenguirayError(f"the run stands still since {self._heard_at:g} s of virtual time"))
        elif self._is_ticking:
            self._loop.call_later(_TICK_S, self._tick)

    # -- the caller's side

    def _take_answer(self, link: LinkId, member: Any, answer: Future[Any]) -> None:
        if self.transport.is_current(link, member):
            self._feed_ingress(link, feedback_of(answer))

    def take_collected(self, member: SimulatedProcess, packed: Packed | None) -> None:
        """A call has brought a report, or nothing."""
        if packed is None:
            self._collect(member)
            return
        header, data, _ = packed
        self._take_packed(member.link, member, header, data, then=lambda: self._collect(member))

    def _collect(self, member: SimulatedProcess) -> None:
        self.bring(self.caller, member, None, member.collect)

    def _take_packed(
        self, link: LinkId, member: Any, header: Bytes, data: Bytes, then: Callable[[], None] | None = None
    ) -> None:
        """A replica has told something, and whatever is to be done when that is taken in."""
        report = unpack_report(header, data, (), node=self.plan.stages[link.stage].last.name)
        if not self.transport.is_current(link, member) or self._state == "stopped":
            return
        self._heard_at = self.clock.now()
        for one, todo in self._in_turn.due(link, report.number, (report, then)):
            with self.lock:
                self.ingress.on_report(link, one)
            self._recovery.note_report()
            self.transport.ask(link, one.number)
            if todo is not None:
                todo()

    def _cancel(self, roots: Sequence[int], calls: Sequence[int]) -> None:
        for member in list(self._members.values()):
            self.call_soon(self.bring, self.caller, member, None, member.drop, roots, calls)

    # -- the hands of recovery

    def working(self) -> Iterable[LinkId]:
        """See `Hands`."""
        return self._opened

    def place_of(self, link: LinkId) -> Any:
        """See `Hands`: a process, and the door to it, which is itself."""
        member = self._members[link]
        return member, member if self.plan.options.streams else None

    def epoch_of(self, link: LinkId) -> int:
        """See `Hands`."""
        return epoch_of(self._epoch, link, self._members[link].generation)

    def tell(self, link: LinkId, news: Sequence[PeerNews], answered: Answered) -> None:
        """See `Hands`."""
        self.bring(self.caller, self._members[link], None, self._members[link].hear, news, answered)

    def ask_held(self, link: LinkId, answered: Answered) -> None:
        """See `Hands`."""
        self.bring(self.caller, self._members[link], None, self._members[link].say_held, answered)

    def create(self, link: LinkId, after_s: float) -> None:
        """See `Hands`."""
        self._opened.discard(link)
        self._loop.call_later(after_s + self._chance.uniform(*_OPEN_S), self._create, link)

    def _create(self, link: LinkId) -> None:
        if self._state == "running":
            self._replicas[link] = self._replica(
                self.plan.stages[link.stage], link.replica, generation=self._members[link].generation + 1
            )
            self._connect(self._members[link])
            self._tasks.append(self._loop.create_task(self._open_successor(self._members[link])))

    async def _open_successor(self, member: SimulatedProcess) -> None:
        link = member.link
        await member.replica.set_up_host()
        await member.replica.open()
        self.may_fail(member, "a successor opens")
        if not member.is_alive:
            self._recovery.failed(link)
            return  # its death is noticed as any other
        with self.lock:
            self.transport.replace(link, self.place_of(link))
        self._in_turn.forget(link)
        self._tasks.append(self._loop.create_task(self._run(link)))
        self._opened.add(link)
        self._recovery.ready(link)

    async def _close(self, *, finish: bool) -> None:
        for member in self._members.values():
            if not member.is_alive and member.task is not None:
                with contextlib.suppress(asyncio.CancelledError):
                    await member.task
        await super()._close(finish=finish)

"""The process of one replica in a simulation: what comes, what it tells, and its own idea of who the others are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from penguiray.actors.guests import Guests
from penguiray.actors.intake import Intake
from penguiray.actors.letters import feedback_of, frame_in
from penguiray.actors.reader import Reader
from penguiray.actors.telling import Teller
from penguiray.ingress.recovery import Answered
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, LinkId
from penguiray.link.peers import PeerNews, Peers, epoch_of
from penguiray.link.report import Report
from penguiray.link.wire import Packed, sequence_in
from penguiray.local import shuffled
from penguiray.runtime.rate import Grant
from penguiray.runtime.replica import Replica
from penguiray.testing.simulated_links import Pipe, Process

if TYPE_CHECKING:
    from penguiray.testing.simulated import SimulatedEngine

__all__ = ["SimulatedProcess"]


class SimulatedProcess(Process):
    """The process of a replica."""

    def __init__(self, engine: SimulatedEngine, link: LinkId, generation: int) -> None:
        super().__init__(link.replica % engine.faults.hosts)
        self.engine = engine
        self.link = link
        self.generation = generation
        self.peers = Peers()
        self.task: asyncio.Task[None] | None = None
        self.first = self
        self.has_new_first = asyncio.Event()
        self.is_asked = False
        """Whether the caller's side waits for its next report."""
        self._has_woken = False
        plan, stage = engine.plan, engine.plan.stages[link.stage]
        self.transport = engine.transport_of(self, self._take_answer, self._on_feedback, self._refuse)
        self.replica = Replica(
            stage,
            plan.options,
            self.transport,
            epoch=engine.epoch,
            clock=engine.clock,
            rng=engine.rng,
            on_news=self._note_news,
            inline=True,
            ask_first=self._ask_first if link.replica else None,
            own_epoch=epoch_of(engine.epoch, link, generation),
            is_successor=generation > 0,
        )
        for edge in stage.edges:
            self.replica.connect(edge.target, plan.stages[edge.target].replicas)
        self._reader = Reader(plan.options, node=stage.last.name, clock=engine.clock, is_owner=True)
        self._teller = Teller(self.replica.outbox, self._pack, self._wake)
        self._intake = Intake(_Receiver(self), engine.loop, engine.clock, self._teller.hold)
        self._guests = Guests(self._intake, self._teller)

    def _refuse(self, root: int, message_id: int, error: CarriedError) -> None:
        self.replica.outbox.refuse(root, message_id, error)

    # -- what comes

    def take_frame(self, method: str, arguments: tuple[Any, ...], answer: Callable[[Feedback], None]) -> None:
        """See `Process`."""
        if not self.is_alive:
            return
        letter, *beside = arguments
        place, header, data, attachments = frame_in(letter, beside)
        if method == "receive_again":
            self._intake.on_loop(place, header, data, attachments, _ignored)
            answer(Feedback(sequence_in(header), 0.0))
        else:
            self._intake.on_loop(place, header, data, attachments, answer)

    def greet(self, near: Pipe, sender: int, *, reads: bool) -> None:
        """See `Process`."""
        if self.is_alive:
            near.open(self._guests.take_word, self._guests.note_broken)
            self._guests.greet(near, sender, reads)

    def _take_answer(self, link: LinkId, member: Any, answer: Future[Any]) -> None:
        if self.is_alive and self.transport.is_current(link, member):
            self.replica.on_feedback(link, feedback_of(answer))

    def _on_feedback(self, link: LinkId, feedback: Feedback) -> None:
        if self.is_alive:
            self.replica.on_feedback(link, feedback)

    def hear(self, news: Sequence[PeerNews], answered: Answered) -> None:
        """Replicas were lost, or others are in their places."""
        self.engine.may_fail(self, "a loss is told")
        for link, peer in self.peers.new(news) if self.is_alive else ():
            if peer is not None:
                self.transport.replace(link, peer)
                if link == LinkId(self.link.stage, 0):
                    self.first, _ = peer
                    self.has_new_first.set()
            elif link.stage == self.link.stage:
                for keeper in self.replica.rates.values():
                    keeper.lose(link.replica)
            self.replica.outbox.set_down(link, is_down=peer is None)
        self.replica.refused = self.peers.gone
        self.engine.bring(self, self.engine.caller, None, answered, self.link, None)

    def say_held(self, answered: Answered) -> None:
        """It is asked what it holds."""
        self.engine.may_fail(self, "it says what it holds")
        held = self.replica.held() if self.is_alive else None
        self.engine.bring(self, self.engine.caller, None, answered, self.link, held)

    def drop(self, roots: Sequence[int], calls: Sequence[int]) -> None:
        """Inputs were given up."""
        self.replica.note_cancelled(roots, calls)
        self.replica.drop_cancelled()

    async def _ask_first(self, place: int, begun: int, want: int) -> Grant:
        while True:
            self.has_new_first.clear()
            first = self.first
            await asyncio.sleep(self.engine.delay_s())
            if first.is_alive:
                return first.replica.rates[place].ask(begun, want, self.link.replica)
            await self.has_new_first.wait()

    # -- its reports

    def _note_news(self) -> None:
        self._teller.note_news()

    def _pack(self, report: Report) -> Packed:
        self.engine.may_fail(self, "a report is due")
        n_results = len(report.results)
        packed = self._reader.pack(report)
        if n_results:
            self.replica.outbox.note_results(n_results, len(packed[1]))
        return packed

    def _wake(self) -> None:
        self._has_woken = True
        self._tell_by_call()

    def collect(self) -> None:
        """The caller's side asks for the next report, and so has the last one that a call brought."""
        if self.is_alive:
            self.is_asked = True
            if self._teller.waits_for_call:
                self._teller.note_called()
            self._tell_by_call()

    def _tell_by_call(self) -> None:
        if not (self.is_asked and self._has_woken and self.is_alive):
            return
        self._has_woken = False
        told = self._teller.give()
        packed = self._pack(told) if isinstance(told, Report) else told
        if self.is_alive:
            self.is_asked = False
            self.engine.bring(self, self.engine.caller, None, self.engine.take_collected, self, packed)
            self.engine.may_fail(self, "a report left")


class _Receiver:
    """A replica for its intake: frames come shuffled, and may be the last thing that comes."""

    def __init__(self, member: SimulatedProcess) -> None:
        self._member = member
        self._engine = member.engine

    def receive(self, frame: Frame, on_taken: Callable[[Feedback], None]) -> None:
        """See `Replica`."""
        engine, member = self._engine, self._member
        engine.may_fail(member, "a frame came")
        if not member.is_alive:
            return

        def taken(feedback: Feedback) -> None:
            engine.may_fail(member, "a frame was taken")
            if member.is_alive:
                on_taken(feedback)

        member.replica.receive(shuffled(frame, engine.rng), taken)

    def refuse(self, frame: Frame, error: Exception, on_taken: Callable[[Feedback], None]) -> None:
        """See `Replica`."""
        self._member.replica.refuse(frame, error, on_taken)


def _ignored(_feedback: Feedback) -> None:
    """It was given already."""

"""What the replicas of a run say to the process that drives it: reports, feedback, and that one of them is gone."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any

from penguiray.actors.in_turn import InTurn
from penguiray.actors.letters import feedback_of, report_of, told_in
from penguiray.actors.pool import ReplicaPool
from penguiray.actors.streams import StreamTransport
from penguiray.actors.supervisor import Supervisor
from penguiray.clock import Clock
from penguiray.ingress.ingress import Ingress
from penguiray.link.frame import Feedback, LinkId
from penguiray.link.report import Report
from penguiray.link.wire import Bytes, unpack_report
from penguiray.observe.watch import CallWatch
from penguiray.plan.plan import Plan

__all__ = ["Hearing"]

_log = logging.getLogger("penguiray")

Todo = Callable[[], None]


class Hearing:
    """Takes in what comes by streams and as the answers of calls, the reports of each replica in their turn.

    Answers of calls are looked at in the engine's thread; what a stream brings, in the one that reads it.
    """

    _ingress: Ingress
    _transport: StreamTransport

    def __init__(
        self,
        plan: Plan,
        lock: AbstractContextManager[Any],
        clock: Clock,
        *,
        post: Callable[[Todo], None],
        lose: Callable[[LinkId, BaseException], None],
    ) -> None:
        """Hear nobody; `begin` and then `listen` are due.

        Args:
            plan: What runs.
            lock: Guards the ingress, and what is kept here.
            clock: Where time comes from.
            post: Has the engine's thread call a function; from any thread.
            lose: Told in that thread that a replica is gone, and why.
        """
        self._nodes = [stage.last.name for stage in plan.stages]
        self._lock = lock
        self._clock = clock
        self._post = post
        self._lose = lose
        self._in_turn: InTurn[tuple[Report, Todo | None]] = InTurn()
        self._pool: ReplicaPool | None = None
        self._supervisor: Supervisor | None = None
        self.watch = CallWatch(plan)
        """The calls under way, as far as replicas have told of them."""

    def begin(self, ingress: Ingress, transport: StreamTransport) -> None:
        """Say whom it is for, and by what replicas are told that something has arrived."""
        self._ingress, self._transport = ingress, transport

    def listen(self, pool: ReplicaPool, supervisor: Supervisor | None) -> None:
        """Hear all replicas from now on; somebody may look after them, and is told what is of use for that."""
        self._pool, self._supervisor = pool, supervisor
        for link in pool.actors:
            self._collect(link)

    def _collect(self, link: LinkId) -> None:
        assert self._pool is not None
        actor = self._pool.actors[link]
        self._pool.collect(link, lambda link, told: self._post(lambda: self._take_told(link, actor, told)))

    def take_answer(self, link: LinkId, actor: Any, answer: Future[Any]) -> None:
        """A call that brought a frame has returned or failed; from any thread."""
        self._post(functools.partial(self._take_answer, link, actor, answer))

    def _take_answer(self, link: LinkId, actor: Any, answer: Future[Any]) -> None:
        if self._is_gone(link, actor, answer.exception()):
            return
        report = report_of(answer)
        if report is not None:
            self.take_report(link, actor, *report)
        with self._lock:
            self.take_feedback(link, feedback_of(answer))

    def take_feedback(self, link: LinkId, feedback: Feedback) -> None:
        """A frame was taken by its receiver; under the lock, from any thread."""
        self._ingress.on_feedback(link, feedback)

    def note_absence(self, lately_s: float) -> None:
        """For so long this process stood still lately, in seconds."""
        self._ingress.note_absence(lately_s)

    def _take_told(self, link: LinkId, actor: Any, told: Future[Any]) -> None:
        """A replica has told its news."""
        if self._is_gone(link, actor, told.exception()):
            return
        packed, calls = told_in(told.result())
        if packed is None:
            self._collect(link)
        else:  # that it is asked again says to the replica that this is taken in
            header, data, buffers = packed
            self.take_report(link, actor, header, data, buffers, then=lambda: self._collect(link))
        if calls is not None:
            with self._lock:
                said = self.watch.look(link, calls, self._clock.now())
            _warn(said)

    def take_report(
        self,
        link: LinkId,
        actor: Any,
        header: Bytes,
        data: Bytes,
        buffers: Sequence[Any] = (),
        then: Todo | None = None,
    ) -> None:
        """Take a replica's news in, in their turn; from any thread. `then` is called when these are taken in."""
        report = unpack_report(header, data, buffers, node=self._nodes[link.stage])
        with self._lock:
            if not self._transport.is_current(link, actor):
                return
            due = self._in_turn.due(link, report.number, (report, then))
            for one, _ in due:
                self._ingress.on_report(link, one)
        for one, todo in due:
            self._transport.ask(link, one.number)
            if self._supervisor is not None:
                self._supervisor.note_report()
                for peer, heard in one.unreached.items():
                    self._post(functools.partial(self._supervisor.note_unreached, link, peer, heard))
            if todo is not None:
                todo()

    def _is_gone(self, link: LinkId, actor: Any, error: BaseException | None) -> bool:
        """Whether an answer is of no use, since it is that of a replica that was lost."""
        if self._pool is None or self._pool.actors.get(link) is not actor:
            return True
        if error is not None:
            self._lose(link, error)
        return error is not None

    def forget(self, link: LinkId) -> None:
        """A replica was lost, and with it the calls that it had under way."""
        with self._lock:
            self.watch.forget(link)

    def take_successor(self, link: LinkId) -> None:
        """A replica works that takes the place of a lost one."""
        assert self._pool is not None
        with self._lock:
            self._transport.replace(link, self._pool.peer(link))
            self._in_turn.forget(link)
        self._collect(link)

    def warn_of_silence(self) -> None:
        """Say which calls take long of which nothing more is told."""
        with self._lock:
            said = self.watch.silent(self._clock.now())
        _warn(said)


def _warn(sentences: list[str]) -> None:
    for sentence in sentences:
        _log.warning("%s", sentence)

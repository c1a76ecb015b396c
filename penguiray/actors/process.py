"""A replica with a process to itself: its loop in a thread, so that calls from outside are answered while it works."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import itertools
import os
import random
import secrets
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from penguiray.actors.calls import CallTransport, Peer
from penguiray.actors.door import Answering, Door
from penguiray.actors.guests import Guests
from penguiray.actors.intake import Intake
from penguiray.actors.letters import Letter, answer_with, feedback_of, told_letter
from penguiray.actors.lost import GONE
from penguiray.actors.reader import Reader
from penguiray.actors.readers import Readers
from penguiray.actors.streams import StreamTransport
from penguiray.actors.telling import Teller
from penguiray.clock import SystemClock
from penguiray.control.lease import LEASE_S, LOOK_S
from penguiray.errors import RunClosed
from penguiray.graph.policies import FlowOptions
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, LinkId
from penguiray.link.ids import ingress_number
from penguiray.link.order import Place
from penguiray.link.peers import Held, PeerNews, Peers, epoch_of
from penguiray.link.report import Report
from penguiray.link.running import RunningCall
from penguiray.link.wire import Bytes, Packed, sequence_in
from penguiray.plan.plan import Stage
from penguiray.runtime.home import Home
from penguiray.runtime.rate import Grant
from penguiray.runtime.replica import Replica

__all__ = ["CLOSE_S", "FINISH_S", "ReplicaProcess"]

T = TypeVar("T")

_POLL_S = 10.0
"""Longest that a `join` stays unanswered; the attached process asks again."""
CLOSE_S = 3.0
"""Longest that the nodes' `close()` may take when the run is stopped."""
FINISH_S = 30.0
"""Longest that it may take when the run was drained."""


class ReplicaProcess:
    """Owns the loop thread. Its methods are called from the actor's threads; the replica belongs to the loop."""

    def __init__(
        self, stage: Stage, options: FlowOptions, *, epoch: int, number: int, generation: int, door: Door | None
    ) -> None:
        _tune()
        self._options = options
        self._last_node = stage.last.name
        self._stage, self._number = stage.index, number
        self._epoch = epoch
        self._clock = SystemClock()
        self._loop = asyncio.new_event_loop()
        self._home = Home(self._loop, lambda: os._exit(1))
        self._owner = self._reader(is_owner=True)
        self._attached = Readers(functools.partial(self._reader, is_owner=False))
        self._looking = threading.Lock()
        self._numbers = itertools.count(secrets.randbits(40))  # those that a lost predecessor gave are taken
        self._is_closing = False
        self._is_open = threading.Event()
        self._opened_at = 0.0
        self._failure: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._first: Any = None
        self._has_new_first = asyncio.Event()
        self._peers = Peers()
        self._transport = self._links()
        self._replica = Replica(
            stage,
            options,
            self._transport,
            epoch=epoch,
            clock=self._clock,
            rng=random.Random(f"{epoch}/{stage.index}/{number}"),  # noqa: S311 - jitter, not a secret
            on_news=self._on_news,
            inline=False,
            home=self._home,
            ask_first=None if number == 0 else self._ask_first,
            own_epoch=epoch_of(epoch, LinkId(stage.index, number), generation),
            is_successor=generation > 0,
        )
        pack = functools.partial(self._pack, self._owner)
        self._teller = Teller(self._replica.outbox, pack, self._owner.news.set)
        self._intake = Intake(self._replica, self._loop, self._clock, self._teller.hold)
        self._guests = Guests(self._intake, self._teller)
        self._door = None if door is None else self._answering(door)
        self._loop.set_exception_handler(self._on_loop_error)
        threading.Thread(target=self._run_loop, name="penguiray-loop", daemon=True).start()
        threading.Thread(target=self._watch_lease, name="penguiray-lease", daemon=True).start()

    def _links(self) -> StreamTransport:
        calls = CallTransport(
            clock=self._clock, options=self._options, on_answer=self._on_answer, on_refused=self._on_refused
        )
        return StreamTransport(
            calls, contextlib.nullcontext(), on_feedback=self._on_feedback, on_absence=self._note_absence
        )

    def _reader(self, *, is_owner: bool) -> Reader:
        return Reader(self._options, node=self._last_node, clock=self._clock, is_owner=is_owner)

    def _answering(self, door: Door) -> Answering:
        answering = Answering(
            door,
            self._loop,
            on_stream=self._guests.greet,
            on_word=self._guests.take_word,
            on_broken=self._guests.note_broken,
        )
        answering.open()
        return answering

    def set_up_host(self) -> None:
        """Call the nodes' `setup_host()`, for all replicas of the stage on this host."""
        self._await(self._replica.set_up_host())

    def open(self, peers: Mapping[int, Sequence[Peer]], first: Any) -> None:
        """Connect to the next stages and to replica 0 of this one, build the nodes' objects, and begin to work."""
        self._first = first
        self._transport.connect(peers, self._loop)
        for stage, replicas in peers.items():
            self._replica.connect(stage, len(replicas))
        self._await(self._open())
        gc.collect()
        gc.freeze()
        self._opened_at = self._clock.now()
        self._is_open.set()

    async def _open(self) -> None:
        await self._replica.open()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def load(self, stage: Stage, name: str) -> None:
        """See `Replica.load`."""
        self._on_loop(functools.partial(self._replica.load, stage, name)).result()

    def set_up_next_host(self) -> None:
        """See `Replica.set_up_next_host`."""
        self._await(self._replica.set_up_next_host())

    def open_next(self) -> None:
        """See `Replica.open_next`."""
        self._await(self._replica.open_next())

    def switch(self) -> None:
        """See `Replica.switch`."""
        self._await(self._replica.switch())
        gc.unfreeze()  # what only the version before had is garbage now
        gc.collect()
        gc.freeze()

    def drop_next(self) -> None:
        """See `Replica.drop_next`."""
        self._on_loop(self._replica.drop_next).result()

    def _await(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result()

    async def _run(self) -> None:
        try:
            await self._replica.run()
        except BaseException as error:
            self._fail(error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error)
            raise

    def _run_loop(self) -> None:
        """The loop's thread. Only `sys.exit()` in a task that the user's code made ends it; nothing works then."""
        try:
            self._home.run()
        finally:
            os._exit(1)

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error of ours in a callback: a frame or a report may be gone, so the replica is."""
        loop.default_exception_handler(context)
        error = context.get("exception")
        if "handle" in context and error is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """The replica cannot go on; the driver is told by its `collect`."""
        self._failure = self._failure or error
        self._owner.news.set()

    def receive(self, place: Place | None, header: Bytes, data: Bytes, attachments: Sequence[Any]) -> Letter:
        """Take a frame in; returns its feedback once it has left the inbox, and a report if one came soon after."""
        return answer_with(*self._intake.by_call(place, header, data, attachments))

    def receive_again(self, place: Place, header: Bytes, data: Bytes) -> Letter:
        """Take a frame in that may have come before; returns as if it had left the inbox."""
        self._intake.by_call_again(place, header, data)
        return answer_with(Feedback(sequence_in(header), 0.0))

    def collect(self) -> Letter:
        """Wait for news that the driver's stream does not bring: a report, and the calls under way if it is time.

        Not even a loop that is held up by a node keeps the calls from being told.

        Raises:
            Exception: The replica cannot go on, and why.
        """
        if self._teller.waits_for_call and not self._owner.is_taking:  # who asks again has the last report
            self._loop.call_soon_threadsafe(self._teller.note_called)
        take = functools.partial(self._on_loop, self._teller.give)
        pack = functools.partial(self._pack, self._owner)
        return told_letter(self._owner.report(self._check, take, pack), self._owner.calls(self._running))

    def _pack(self, reader: Reader, report: Report) -> Packed:
        """A report as bytes."""
        n_results = len(report.results)
        _, data, buffers = packed = reader.pack(report)
        if n_results:
            self._replica.outbox.note_results(n_results, len(data) + sum(buffer.nbytes for buffer in buffers))
        return packed

    def _on_news(self) -> None:
        self._teller.note_news()

    def _on_feedback(self, link: LinkId, feedback: Feedback) -> None:
        self._replica.on_feedback(link, feedback)

    def _note_absence(self, lately_s: float) -> None:
        self._replica.sender.away_s = lately_s

    def held(self) -> Held:
        """See `Replica.held`."""
        return self._on_loop(self._replica.held).result()

    def note_peers(self, news: Sequence[PeerNews]) -> None:
        """Replicas were lost, or others are in their places; see `PeerNews`."""
        self._on_loop(functools.partial(self._note_peers, news)).result()

    def _note_peers(self, news: Sequence[PeerNews]) -> None:
        for link, peer in self._peers.new(news):
            if peer is not None:
                self._transport.replace(link, peer)
                if link == LinkId(self._stage, 0):
                    self._first, _ = peer
                    self._has_new_first.set()
            elif link.stage == self._stage:
                for keeper in self._replica.rates.values():
                    keeper.lose(link.replica)
            self._replica.outbox.set_down(link, is_down=peer is None)
        self._replica.refused = self._peers.gone

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _running(self) -> list[RunningCall]:
        """The calls under way; processes that look at the same time do so one after the other."""
        with self._looking:
            return self._replica.running()

    # -- other processes that send inputs

    @property
    def age_s(self) -> float:
        """Seconds since the replica was ready; 0 if it is not yet."""
        return self._clock.now() - self._opened_at if self._opened_at else 0.0

    def admit(self) -> int | None:
        """A number for one more process that attaches to the run; None if there are as many as may be."""
        number = ingress_number(self._epoch, next(self._numbers))
        if not self._attached.admit(number):
            return None
        self._loop.call_soon_threadsafe(self._attach, number)
        return number

    def join(self, ingress: int) -> bool:
        """Keep news for an attached process from now on; whether the replica is ready, which is waited for a while.

        Raises:
            RunClosed: The process was silent for longer than the lease, or has left, or the run ends.
        """
        if self._is_closing or not self._attached.join(ingress):
            raise self._gone()
        self.renew(ingress)
        self._loop.call_soon_threadsafe(self._attach, ingress)
        return self._is_open.wait(_POLL_S)

    def _attach(self, ingress: int) -> None:
        reader = self._attached.get(ingress)
        if reader is not None:
            self._replica.attach(ingress, reader.news.set)

    def collect_for(self, ingress: int) -> Letter:
        """Like `collect` for an attached process; a report without news has the counters.

        Raises:
            RunClosed: The process was silent for longer than the lease, or the run ends.
        """
        reader = self._attached.get(ingress)
        if reader is None:
            raise self._gone()
        reader.lease.renew(self._clock.now())
        take = functools.partial(self._on_loop, functools.partial(self._take_for, ingress))
        report = reader.report(self._check, take, functools.partial(self._pack, reader))
        reader.lease.renew(self._clock.now())
        return told_letter(report, reader.calls(self._running))

    def _take_for(self, ingress: int) -> Report | Packed | None:
        if ingress in self._attached:
            return self._replica.outbox.take_report(ingress)
        raise self._gone()

    def _gone(self) -> RunClosed:
        self._check()
        if self._is_closing:
            return RunClosed("the process that started it has ended it")
        return RunClosed(f"this program was silent for more than {LEASE_S:.0f} s, and was let go; attach again")

    def leave(self, ingress: int) -> None:
        """Give up what an attached process has sent, and keep no more news for it."""
        reader = self._attached.remove(ingress)
        if reader is not None:
            self._loop.call_soon_threadsafe(self._replica.detach, ingress)
            reader.news.set()

    # -- its life

    def cancel(self, roots: Sequence[int], calls: Sequence[int]) -> None:
        """Give up inputs; returns at once. Sync code that asks its context hears of it while the loop is held up."""
        self._replica.note_cancelled(roots, calls)
        self._loop.call_soon_threadsafe(self._replica.drop_cancelled)

    def permits(self, place: int, begun: int, want: int, asker: int) -> Grant:
        """Another replica of the stage asks for permits; see `RateWindow.ask`."""
        return self._replica.rates[place].ask(begun, want, asker)

    async def _ask_first(self, place: int, begun: int, want: int) -> Grant:
        while True:
            self._has_new_first.clear()
            answer: Future[Grant] = self._first.permits.remote(place, begun, want, self._number).future()
            try:
                return await asyncio.wrap_future(answer)
            except GONE:
                await self._has_new_first.wait()  # the driver sees itself that replica 0 is gone, and gives another

    def renew(self, ingress: int = 0) -> None:
        """The driver lives, or a process that attached."""
        reader = self._attached.get(ingress) if ingress else self._owner
        if reader is not None:
            reader.lease.renew(self._clock.now())

    @property
    def silent_s(self) -> float:
        """Seconds since the driver was heard of."""
        return self._owner.lease.silent_s(self._clock.now())

    def stop(self, *, finish: bool) -> None:
        """End the work and close the nodes' objects; with `finish` what is here is worked on first."""
        closing = asyncio.run_coroutine_threadsafe(self._stop(finish=finish), self._loop)
        closing.result(FINISH_S if finish else CLOSE_S)

    async def _stop(self, *, finish: bool) -> None:
        self._is_closing = True
        for ingress in self._attached.numbers():
            self.leave(ingress)
        if finish:
            self._replica.finish()
        else:
            self._replica.stop()
            if self._task is not None:
                self._task.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])
        await self._replica.close()
        if self._door is not None:
            self._door.close()

    def _on_loop(self, function: Callable[[], T]) -> Future[T]:
        done: Future[T] = Future()
        self._loop.call_soon_threadsafe(_answer, done, function)
        return done

    def _on_answer(self, link: LinkId, actor: Any, answer: Future[Any]) -> None:
        self._loop.call_soon_threadsafe(self._take_answer, link, actor, answer)

    def _take_answer(self, link: LinkId, actor: Any, answer: Future[Any]) -> None:
        """Feedback for a frame. If the receiver's process is gone, the driver sees that itself, or is told."""
        if not self._transport.is_current(link, actor):
            return
        error = answer.exception()
        if error is None:
            self._replica.on_feedback(link, feedback_of(answer))
        elif isinstance(error, GONE):
            self._replica.outbox.note_unreached(link, self._peers.heard_of(link))
        else:
            self._fail(error)

    def _on_refused(self, root: int, message_id: int, error: CarriedError) -> None:
        self._replica.outbox.refuse(root, message_id, error)

    def _watch_lease(self) -> None:
        """End the process when its driver has been silent for too long: nobody else would. Others are let go."""
        while (rest_s := self._owner.lease.rest_s(self._clock.now())) > 0:
            time.sleep(min(rest_s, LOOK_S))
            for ingress in self._attached.silent(self._clock.now()):
                self.leave(ingress)
        try:
            self.stop(finish=False)
        except Exception as error:  # noqa: BLE001 - whatever the user's close() does, the process ends
            sys.stderr.write(f"penguiray: close() failed after the lease had expired: {error!r}\n")
        os._exit(0)


def _answer(done: Future[T], function: Callable[[], T]) -> None:
    try:
        done.set_result(function())
    except Exception as error:  # noqa: BLE001 - goes to the thread that waits
        done.set_exception(error)


def _tune() -> None:
    """Settings of a process that does nothing but run a replica.

    Threads that answer calls get their turn within 0.2 ms beside a busy function (by default 5 ms). Collections of
    garbage are rarer, since frames make and free many objects in step; this was a fifth of the throughput.
    """
    sys.setswitchinterval(0.0002)
    gc.set_threshold(50_000, 20, 50)

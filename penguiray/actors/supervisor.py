"""Looks after the replicas of a run that works: who is silent or lost is gone without, and another one takes its place.

All of it runs on the engine's thread, but what says otherwise.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any

from penguiray.actors.listening import Listening
from penguiray.actors.lost import end_of_run, how_lost
from penguiray.actors.pool import ReplicaPool
from penguiray.actors.successors import Successors
from penguiray.actors.updates import Updates
from penguiray.clock import Clock
from penguiray.control.host_setup import HostSetups
from penguiray.errors import PlacementError, ReplicaLost, StartError
from penguiray.ingress.ingress import Ingress
from penguiray.ingress.recovery import Recovery
from penguiray.link.frame import LinkId
from penguiray.plan.plan import Plan

__all__ = ["Supervisor"]

_log = logging.getLogger("penguiray")


class Supervisor:
    """Puts others in the places of replicas that are lost or silent, while that makes good what is lost."""

    def __init__(
        self,
        plan: Plan,
        pool: ReplicaPool,
        ingress: Ingress,
        lock: AbstractContextManager[Any],
        clock: Clock,
        hosts: HostSetups,
        *,
        post: Callable[[Callable[[], None]], None],
        on_lost: Callable[[LinkId], None],
        on_successor: Callable[[LinkId], None],
        use: Callable[[Plan], None],
    ) -> None:
        """Nothing is lost.

        Args:
            plan: What runs.
            pool: Its replicas.
            ingress: The caller's side.
            lock: Guards the ingress.
            clock: Where time comes from.
            hosts: Those that its nodes have set up.
            post: Has the engine's thread call a function; from any thread.
            on_lost: Told a replica that is gone without.
            on_successor: Told a replica that works and takes the place of a lost one, before the others are.
            use: Told the plan with another version of a node.
        """
        self._plan = plan
        self._pool = pool
        self._post = post
        self._on_lost = on_lost
        self._on_successor = on_successor
        self._said: set[str] = set()
        self._successors = Successors(
            plan, pool, hosts, post=post, ready=self._take_successor, lose=self._lose_successor
        )
        self._listening = Listening(pool, clock, post=post)
        self.updates = Updates(plan, pool, hosts, post=post, use=use)
        """Other versions of its nodes."""
        self._recovery = Recovery(plan, ingress, lock, self._successors, clock)

    def lose(self, link: LinkId, error: BaseException | None, *, by_us: bool = False) -> None:
        """A replica was lost, or is ended by us.

        Raises:
            ReplicaLost, StartError: The run cannot go on without what it knew, or another one is not worth a try.
        """
        if link in self._recovery.down:
            return
        if not self._recovery.may_replace(link):
            raise error if isinstance(error, StartError) else end_of_run(self._plan, link, error)
        self._on_lost(link)
        self.updates.lost(link, error)
        host = self._listening.host_of(link)
        if host is not None:
            self._pool.leave_host(link, host, for_sure=by_us)  # of one that was silent all of its host may stand still
        self._listening.forget(link)
        self._recovery.replace(link, how_lost(error), by_us=by_us)

    def _take_successor(self, link: LinkId) -> None:
        self._on_successor(link)
        self._recovery.ready(link)
        self.updates.join(link)

    def _lose_successor(self, link: LinkId, error: BaseException | None) -> None:
        self._recovery.failed(link)
        self.lose(link, error)

    def note_renewed(self, link: LinkId, actor: Any, done: Future[Any]) -> None:
        """A replica has answered; from any thread."""
        self._listening.told(link, actor, done)

    def note_report(self) -> None:
        """A report was taken in; from any thread."""
        if self._recovery.waits_for_reports:
            self._post(self._recovery.note_report)

    def note_unreached(self, link: LinkId, peer: LinkId, heard: int) -> None:
        """A replica that another one cannot reach is of no use to it, even if it lives."""
        if self._recovery.is_news(peer, heard):
            names = [self._plan.stages[one.stage].name for one in (link, peer)]
            self.lose(peer, ReplicaLost(f"replica {link.replica} of {names[0]!r} could not reach it", node=names[1]))

    @property
    def rest_s(self) -> float | None:
        """Seconds until `count` is due; None if it is not to be."""
        return self._recovery.rest_s

    def count(self) -> None:
        """Look for what is missing once more."""
        self._recovery.tick()

    def look(self, look_for_places: Callable[[ReplicaPool, set[int]], None], patience_s: float) -> None:
        """Go on without who does not answer, and say why a new replica waits for its place.

        Args:
            look_for_places: Says why stages wait; raises PlacementError for what no host can ever hold.
            patience_s: How long they may wait before that.
        """
        self._listen()
        self._recovery.tick()
        stages = self._recovery.waiting(patience_s)
        try:
            if stages:
                look_for_places(self._pool, stages)
        except PlacementError as error:  # the host that had it may be on its way back
            if str(error) not in self._said:
                self._said.add(str(error))
                _log.warning("%s", error)

    def _listen(self) -> None:
        """Go on without who is silent. What cannot be given again is left alone, and with it who gathered it."""
        links = [link for link in self._pool.opened if link.stage not in self._plan.unrepeatable]
        silent = self._listening.look(links, socket.gethostname())
        for link in self._recovery.listen(silent):
            why = f"it has not answered for {silent[link]:.0f} s"
            self.lose(link, ReplicaLost(why, node=self._plan.stages[link.stage].name), by_us=True)

    def close(self, error: Exception) -> None:
        """The run ends: no replica is added any more, and no node updated."""
        self.updates.close(error)
        self._successors.close()

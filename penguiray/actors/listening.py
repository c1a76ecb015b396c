"""Listens to the replicas of a run: each is asked to say something now and then, and who is silent is looked at.

A thread of a replica's own answers, beside the user's code. Code that does not let go of the interpreter keeps it from
answering; then the process is seen to compute, by the driver or by another replica on its host, and left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from functools import partial
from typing import Any

from penguiray.actors.pool import ReplicaPool, ask
from penguiray.actors.pulse import Pulse
from penguiray.clock import Clock
from penguiray.control.silence import SUSPECT_S, Silence
from penguiray.link.frame import LinkId

__all__ = ["Listening"]

Where = tuple[str, int, str]
"""Host, process id, and Ray's id of the host."""


class Listening:
    """Who has answered, and when. Belongs to the engine's thread, but for `told`."""

    def __init__(self, pool: ReplicaPool, clock: Clock, *, post: Callable[[Callable[[], None]], None]) -> None:
        """Begin to listen.

        Args:
            pool: The replicas.
            clock: Of this process.
            post: Has the engine's thread call a function; from any thread.
        """
        self._pool = pool
        self._clock = clock
        self._post = post
        self._silence = Silence(clock.now())
        self._where: dict[LinkId, tuple[Any, Where]] = {}
        self._pulse = Pulse()

    def told(self, link: LinkId, actor: Any, done: Future[Any]) -> None:
        """An actor has answered; from any thread."""
        if done.exception() is None:  # that it is gone is told by its other calls
            self._post(lambda: self._hear(link, actor, done.result()))

    def _hear(self, link: LinkId, actor: Any, where: Where) -> None:
        if self._pool.actors.get(link) is actor:
            self._where[link] = actor, where
            self._silence.heard(link)

    def forget(self, link: LinkId) -> None:
        """A replica was lost."""
        self._silence.forget(link)
        self._where.pop(link, None)

    def host_of(self, link: LinkId) -> str | None:
        """Ray's id of the host that a replica is on; None if it has never answered."""
        return self._where[link][1][2] if link in self._where else None

    def look(self, links: Collection[LinkId], own_host: str) -> dict[LinkId, float]:
        """How long each of these replicas has been silent, in seconds; who is so for long is looked at from outside."""
        silent = self._silence.look(links, self._clock.now())
        for link, silent_s in silent.items():
            if silent_s > SUSPECT_S / 2 and link in self._where and self._is_seen(link, own_host):
                self._silence.heard(link)
                silent[link] = 0.0
        return silent

    def _is_seen(self, link: LinkId, own_host: str) -> bool:
        """Whether a process of this host is seen to compute; one of another host is asked about, and heard later."""
        actor, (host, pid, _) = self._where[link]
        if host == own_host:
            return self._pulse.computes(pid)
        for other, (neighbour, (its_host, _, _)) in self._where.items():
            if other != link and its_host == host:
                ask(neighbour.computes, link, partial(self._seen, actor), pid)
                break
        return False

    def _seen(self, actor: Any, link: LinkId, done: Future[Any]) -> None:
        if done.exception() is None and done.result():
            self._post(lambda: self._hear(link, actor, self._where[link][1]) if link in self._where else None)

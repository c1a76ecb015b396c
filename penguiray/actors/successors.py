"""Replicas in the places of lost ones: created in a thread, opened like the first ones, and then told of to the others.

All but the creating runs on the engine's thread: each answer of Ray's posts the next step to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any

from penguiray.actors.lost import GONE
from penguiray.actors.opening import Opening
from penguiray.actors.pool import ReplicaPool, ask
from penguiray.control.host_setup import HostSetups
from penguiray.errors import StartError
from penguiray.ingress.recovery import Answered
from penguiray.link.frame import LinkId
from penguiray.link.peers import PeerNews
from penguiray.plan.plan import Plan

__all__ = ["Successors"]

Post = Callable[[Callable[[], None]], None]
"""Has the engine's thread call a function; from any thread."""


class Successors:
    """The hands of `Recovery` on Ray; see `Hands`."""

    def __init__(
        self,
        plan: Plan,
        pool: ReplicaPool,
        hosts: HostSetups,
        *,
        post: Post,
        ready: Callable[[LinkId], None],
        lose: Callable[[LinkId, BaseException | None], None],
    ) -> None:
        """Nothing is lost.

        Args:
            plan: What runs.
            pool: Its replicas.
            hosts: Those that its nodes have set up.
            post: See `Post`.
            ready: Told when a new replica works.
            lose: Told when a new replica was lost before it worked.
        """
        self._plan = plan
        self._pool = pool
        self._hosts = hosts
        self._post = post
        self._ready = ready
        self._lose = lose
        self._closing = threading.Lock()
        self._has_ended = threading.Event()
        self._openings: dict[LinkId, Opening] = {}

    def working(self) -> Iterable[LinkId]:
        """See `Hands`."""
        return self._pool.opened

    def place_of(self, link: LinkId) -> Any:
        """See `Hands`."""
        return self._pool.peer(link)

    def epoch_of(self, link: LinkId) -> int:
        """See `Hands`."""
        return self._pool.epoch_of(link)

    def tell(self, link: LinkId, news: Sequence[PeerNews], answered: Answered) -> None:
        """See `Hands`."""
        ask(self._pool.actors[link].note_peers, link, self._posting(answered), news)

    def ask_held(self, link: LinkId, answered: Answered) -> None:
        """See `Hands`."""
        ask(self._pool.actors[link].held, link, self._posting(answered))

    def _posting(self, answered: Answered) -> Callable[[LinkId, Future[Any]], None]:
        def told(link: LinkId, done: Future[Any]) -> None:
            self._post(lambda: answered(link, None if done.exception() is not None else done.result()))

        return told

    def create(self, link: LinkId, after_s: float) -> None:
        """See `Hands`."""
        self._pool.opened.discard(link)
        threading.Thread(target=self._create, args=[link, after_s], name="penguiray-replace", daemon=True).start()

    def close(self) -> None:
        """The run ends: no replica is added any more."""
        self._has_ended.set()
        with self._closing:  # one that is being created is among the pool's before this returns
            pass

    def _create(self, link: LinkId, after_s: float) -> None:
        """Ask Ray for another actor; in a thread, since Ray may take a second to free the name of the old one."""
        self._has_ended.wait(after_s)
        try:
            self._pool.look_at_host(link)  # which may take a moment, and others need not wait for it
            with self._closing:
                if self._has_ended.is_set():
                    return
                self._pool.replace(link)
        except Exception as error:  # noqa: BLE001 - to be raised on the engine's thread
            failed = error
            self._post(lambda: _raise(failed))
        else:
            self._post(lambda: self._open(link))

    def _open(self, link: LinkId) -> None:
        self._openings[link] = Opening(
            self._plan,
            self._pool,
            lambda step, link, done: self._post(lambda: self._take(step, link, done)),
            self._hosts,
            [link],
        )

    def _take(self, step: str, link: LinkId, done: Future[Any]) -> None:
        if isinstance(done.exception(), GONE):
            self._lose_again(link, done.exception())
            return
        if self._pool.is_outdated(link):  # its nodes were updated meanwhile: whoever works now has the new ones
            self._forget(link)
            self.create(link, 0.0)
            return
        opening = self._openings[link]
        try:
            opening.take(step, link, done)
        except StartError as error:
            self._lose_again(link, error)
            return
        if not opening.waiting:
            del self._openings[link]
            self._ready(link)

    def _lose_again(self, link: LinkId, error: BaseException | None) -> None:
        """A successor was lost before it worked."""
        self._forget(link)
        self._lose(link, error)

    def _forget(self, link: LinkId) -> None:
        """A successor will not work; who waited for it to set up its host does that now."""
        del self._openings[link]
        following = self._hosts.lose(link)
        if following is not None and following in self._openings:
            self._openings[following].set_up(following)


def _raise(error: Exception) -> None:
    raise error

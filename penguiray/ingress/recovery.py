"""What happens when a replica is lost while a run works: others take over, what is lost is found, and one is added.

    lost ──> its peers forget what was on its way to it ──> they name what they hold ──> what nobody names is sent again
      └────> another one is created and opened ──> its peers are given it ──> they name what they hold once more

What a replica has finished it does not hold. So what they name is looked at when all they had finished by then is told.

All of it runs on the engine's thread, off the path of the data. The engine lends its hands: see `Hands`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from penguiray.clock import Clock
from penguiray.control.restarts import Restarts
from penguiray.control.silence import LOST_S, SUSPECT_S
from penguiray.draw.amounts import counted
from penguiray.ingress.ingress import Ingress
from penguiray.ingress.losses import Missing
from penguiray.link.frame import LinkId
from penguiray.link.peers import Held, PeerNews
from penguiray.plan.plan import Plan

__all__ = ["Answered", "Hands", "Recovery"]

_log = logging.getLogger("penguiray")

_PATIENCE_S = 10.0
"""How long a replica may take to say what it holds."""

_AGAIN_S, _MOST_AGAIN_S = 0.5, 5.0
"""How long after a count the next one comes, while it may find more: soon after a loss, and then more seldom."""

Answered = Callable[[LinkId, "Held | None"], None]
"""Called on the engine's thread with a replica's answer; None if it was lost, or if there is nothing to say."""


class Hands(Protocol):
    """What recovery has its engine do. Nothing here waits."""

    def working(self) -> Iterable[LinkId]:
        """Replicas that work."""
        ...

    def place_of(self, link: LinkId) -> Any:
        """Who is a replica now, as its peers are told."""
        ...

    def epoch_of(self, link: LinkId) -> int:
        """The epoch of what a replica sends now."""
        ...

    def tell(self, link: LinkId, news: Sequence[PeerNews], answered: Answered) -> None:
        """Tell a replica which of its peers were lost, and who is in their places."""
        ...

    def ask_held(self, link: LinkId, answered: Answered) -> None:
        """Ask a replica what it holds."""
        ...

    def create(self, link: LinkId, after_s: float) -> None:
        """Put another replica in the place of one, after a pause; `Recovery.ready` is due, or `Recovery.failed`."""
        ...


@dataclass(frozen=True, slots=True)
class _Census:
    """What replicas hold, and how many reports of each tell what they had finished by then."""

    before: Missing | None
    """What was missing in the count before; None: this is the first of two."""
    told: dict[LinkId, int]
    held: set[int]
    begun: float
    is_whole: bool
    """Whether everybody who works has said what it holds."""


@dataclass(eq=False, slots=True)
class _Round:
    """A question to all replicas, and what has come back."""

    left: set[LinkId]
    then: Callable[[dict[LinkId, Held], bool], None]
    begun: float
    answers: dict[LinkId, Held] = field(default_factory=dict)


class Recovery:
    """The losses of a run, and how far each has been made good. Belongs to the engine's thread."""

    def __init__(
        self, plan: Plan, ingress: Ingress, lock: AbstractContextManager[Any], hands: Hands, clock: Clock
    ) -> None:
        """Nothing is lost.

        Args:
            plan: What runs.
            ingress: The caller's side.
            lock: Guards the ingress.
            hands: See `Hands`.
            clock: Where time comes from.
        """
        self._plan = plan
        self._ingress = ingress
        self._lock = lock
        self._hands = hands
        self._clock = clock
        self._restarts = Restarts()
        self._words = 0
        self._rounds: list[_Round] = []
        self._census: _Census | None = None
        self._is_counting = False
        self._is_count_due = False
        self._watched: set[int] = set()
        self._losses: list[LinkId] = []
        self._told = self._covered = 0
        self._counted = 0.0
        self._again_s = _AGAIN_S
        self._news: dict[LinkId, PeerNews] = {}
        self._gone: dict[LinkId, tuple[int, ...]] = {}
        self._since: dict[LinkId, float] = {}
        self.down: set[LinkId] = set()
        """Replicas that were lost and have no successor yet."""
        self.suspects: set[LinkId] = set()
        """Replicas that are silent, and left alone."""

    def may_replace(self, link: LinkId) -> bool:
        """Whether the run can go on without what this replica knew, and a new one is worth a try."""
        if link.stage in self._plan.unrepeatable:
            return False
        return self._restarts.may_replace(link, self._ingress.roots_done, self._clock.now())

    def is_news(self, link: LinkId, heard: int) -> bool:
        """Whether it is news that a replica cannot be reached, given the last word that was heard of it."""
        return link not in self.down and heard >= self._news.get(link, (0,))[0]

    def suspect(self, link: LinkId) -> None:
        """A replica is silent: others do what it has and what would come to it, and it may come back."""
        self.suspects.add(link)
        self._go_without(link)
        self._tell(link, None)
        self._look()

    def clear(self, link: LinkId) -> None:
        """A suspect has answered."""
        self.suspects.discard(link)
        with self._lock:
            self._ingress.set_down(link, is_down=False)
        self._tell(link, self._hands.place_of(link))

    def replace(self, link: LinkId, why: str, *, by_us: bool = False) -> None:
        """A replica was lost: go on without it, and put another one in its place.

        Args:
            link: Which one.
            why: How it was lost.
            by_us: It only was silent, and is ended for that, which says nothing about the inputs that it had.
        """
        _log.warning("%s was lost (%s) and is replaced; what it had under way is sent again", self._name(link), why)
        self.down.add(link)
        self.suspects.discard(link)
        if not by_us:
            self._losses.append(link)
        self._gone[link] = *self._gone.get(link, ()), self._hands.epoch_of(link)
        self._go_without(link)
        with self._lock:
            self._ingress.note_loss(link, by_us=by_us)
        self._since[link] = self._clock.now()
        self._hands.create(link, self._restarts.pause_s(link))
        self._tell(link, None)
        self._look()  # whose reports a count still waits for may be the one that was lost

    def _go_without(self, link: LinkId) -> None:
        """Send a replica nothing more, and wait for nothing that it was to say."""
        if self._census is not None:
            self._census.told.pop(link, None)
        for one in self._rounds:
            one.answers.pop(link, None)
        with self._lock:
            self._watched |= self._ingress.live_roots()
            self._ingress.set_down(link, is_down=True)

    def ready(self, link: LinkId) -> None:
        """A successor works."""
        self.down.discard(link)
        self._restarts.note_start(link, failed=False)
        del self._since[link]
        with self._lock:
            self._ingress.set_down(link, is_down=False)
        self._tell(link, self._hands.place_of(link))

    def failed(self, link: LinkId) -> None:
        """A successor was lost before it worked: that is another loss, for its engine to report."""
        self.down.discard(link)
        self._restarts.note_start(link, failed=True)

    def listen(self, silent: Mapping[LinkId, float]) -> list[LinkId]:
        """How long replicas have been silent, in seconds; gives those that are to be replaced for it."""
        for link, silent_s in silent.items():
            if link in self.suspects and silent_s < SUSPECT_S:
                _log.warning("%s answers again", self._name(link))
                self.clear(link)
            elif link not in self.suspects and silent_s >= SUSPECT_S:
                _log.warning(
                    "%s has not answered for %.0f s; what it has under way is sent to others",
                    self._name(link),
                    silent_s,
                )
                self.suspect(link)
        return [link for link, silent_s in silent.items() if silent_s >= LOST_S]

    def _name(self, link: LinkId) -> str:
        return f"run {self._plan.name!r}: replica {link.replica} of {self._plan.stages[link.stage].name!r}"

    @property
    def is_busy(self) -> bool:
        """Whether something is to be found out, or inputs are under way that were so at a loss; `tick` is due then."""
        return bool(self.down or self.suspects or self._rounds or self._census or self._watched)

    def waiting(self, for_s: float) -> set[int]:
        """Stages that have waited longer than that for a replica."""
        now = self._clock.now()
        return {link.stage for link, since in self._since.items() if now - since > for_s}

    def _tell(self, link: LinkId, place: Any) -> None:
        """Tell all others who is in the place of a replica, nobody or another one; then count what they hold.

        All that is known is told each time: one that was opened meanwhile may have heard of nothing yet.
        """
        self._words += 1
        self._again_s = _AGAIN_S
        self._news[link] = (self._words, link, place, self._gone.get(link, ()))
        news, losses = list(self._news.values()), len(self._losses)
        self._ask_all(lambda to, answered: self._hands.tell(to, news, answered), lambda *_: self._note_told(losses))

    def _note_told(self, losses: int) -> None:
        """All that work have heard of so many losses."""
        self._told = max(self._told, losses)
        with self._lock:  # until now some of what was sent may have gone to who was lost
            self._watched |= self._ingress.live_roots()
        self._count_soon()

    def _count_soon(self) -> None:
        """Find out what is missing: after the search that is under way, which may have looked too early."""
        if self._is_counting:
            self._is_count_due = True
            return
        self._is_counting, self._is_count_due = True, False
        self._covered = self._told
        self._count(None, is_whole=True)

    def _count(self, before: Missing | None, *, is_whole: bool) -> None:
        """Have all say what they hold; done twice, `before` is what was missing the first time."""
        self._counted = self._clock.now()
        self._ask_all(
            self._hands.ask_held, lambda answers, all_came: self._compare(before, answers, is_whole and all_came)
        )

    def _compare(self, before: Missing | None, answers: dict[LinkId, Held], is_whole: bool) -> None:
        """Look at what replicas hold, once their reports of what they had finished are here."""
        told = {link: number for link, (number, _) in answers.items() if link not in self.down | self.suspects}
        held = {one for _, ids in answers.values() for one in ids}
        self._census = _Census(before, told, held, self._clock.now(), is_whole)
        self._look()

    @property
    def waits_for_reports(self) -> bool:
        """Whether `note_report` is due when a report was taken in; may be asked from any thread, after that."""
        return self._census is not None

    def note_report(self) -> None:
        """A report of a replica was taken in."""
        self._look()

    def tick(self) -> None:
        """Some time has passed: who has not answered for long stands still, and nobody waits for it any more.

        What it holds is sent again. That is safe, since what is done twice is told once; but it says nothing about
        inputs that were sent again before, and what cannot be sent again is left alone.
        """
        overdue = self._clock.now() - _PATIENCE_S
        for one in [one for one in self._rounds if one.begun < overdue]:
            self._finish(one)
        self._look()
        self._count_again()

    @property
    def rest_s(self) -> float | None:
        """Seconds until a `tick` has them counted once more; None if that is not to be."""
        if not self._watched or self._is_counting:
            return None
        return max(0.0, self._counted + self._again_s - self._clock.now())

    def _count_again(self) -> None:
        """Count once more while inputs are under way that were so at a loss.

        What a generator gave and what was lost of it is known to nobody before the generator has ended.
        """
        if self.rest_s != 0.0:
            return
        self._again_s = min(2 * self._again_s, _MOST_AGAIN_S)
        with self._lock:
            self._watched &= self._ingress.live_roots()
        if self._watched:
            self._count_soon()

    def _look(self) -> None:
        census = self._census
        if census is None:
            return
        is_overdue = census.begun < self._clock.now() - _PATIENCE_S
        with self._lock:
            is_due = all(self._ingress.heard(link) >= number for link, number in census.told.items())
        if not is_overdue and not is_due:
            return
        self._census = None
        is_whole = census.is_whole and not is_overdue
        with self._lock:
            missing = self._ingress.missing(census.held)
        if census.before is None:
            self._count(missing, is_whole=is_whole)
            return
        self._send_again(census.before, missing, is_whole=is_whole)
        self._is_counting = False
        if self._is_count_due:
            self._count_soon()

    def _send_again(self, before: Missing, missing: Missing, *, is_whole: bool) -> None:
        last = self._losses[self._covered - 1] if self._covered else LinkId(0, 0)
        covered = self._covered if is_whole and not self.suspects else None
        with self._lock:
            again, dead = self._ingress.recover(before, missing, covered, self._plan.stages[last.stage])
        if again and self._plan.begins_anew:
            with self._lock:
                self._watched |= self._ingress.live_roots()
        if again or dead:
            _log.warning("run %r: sent again: %s; given up on: %d", self._plan.name, counted(again, "input"), dead)

    def _ask_all(
        self, ask: Callable[[LinkId, Answered], None], then: Callable[[dict[LinkId, Held], bool], None]
    ) -> None:
        """Ask all replicas that work, and go on with the answers of those that still lived to give one.

        `then` is told whether nobody was given up on that lives.
        """
        asked = _Round(set(self._hands.working()) - self.suspects, then, self._clock.now())
        self._rounds.append(asked)
        for link in list(asked.left):
            ask(link, lambda link, answer: self._take_answer(asked, link, answer))
        if not asked.left:
            self._finish(asked)

    def _take_answer(self, asked: _Round, link: LinkId, answer: Held | None) -> None:
        asked.left.discard(link)
        if answer is not None and link not in self.down | self.suspects:  # who was lost meanwhile holds nothing
            asked.answers[link] = answer
        if not asked.left:
            self._finish(asked)

    def _finish(self, asked: _Round) -> None:
        if asked in self._rounds:
            self._rounds.remove(asked)
            asked.then(asked.answers, asked.left <= self.down | self.suspects)

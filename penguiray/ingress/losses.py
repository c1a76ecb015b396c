"""Inputs that are not done, kept so that they can be sent again when something of them was lost.

An input that is sent again has the ids that it had before, and so has all that comes from it: what is done twice is
told twice, and the second time is no news. Or it begins anew under another root (`Plan.begins_anew`), and what still
comes of the attempt before is nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from penguiray.errors import ReplicaLost
from penguiray.ingress.replays import DEATHS, Replays
from penguiray.ingress.roots import Roots
from penguiray.link.failure import CarriedError, Failure
from penguiray.link.frame import LinkId
from penguiray.link.ids import call_of, first_id, next_attempt, position_of
from penguiray.link.message import Facts, Messages
from penguiray.link.sender import Sender
from penguiray.plan.plan import Plan, Stage

__all__ = ["Losses", "Missing"]

FactsOf = Callable[[Sequence[int]], Mapping[int, Facts]]
"""What callers said about inputs, all of one call."""


Missing = Mapping[int, frozenset[int]]
"""What of each input is in nobody's hands; see `Roots.missing`."""

_NONE: frozenset[int] = frozenset()
_NO_FACTS = Facts()


class Losses:
    """What was sent and is not done, and what was given of it already."""

    def __init__(self, plan: Plan, roots: Roots, sender: Sender, facts_of: FactsOf, *, keeps: bool = True) -> None:
        """Nothing is sent yet.

        Args:
            plan: What runs.
            roots: All inputs that are not done.
            sender: Leads to the sources.
            facts_of: See `FactsOf`.
            keeps: Whether inputs can be sent again; else none is kept.
        """
        self._plan = plan
        self._roots = roots
        self._sender = sender
        self._facts_of = facts_of
        self._inputs: dict[int, Any] = {}
        self._is_single = len(plan.sources) == 1
        self._streamed: dict[int, dict[int, int]] = {}
        self._keeps = keeps
        self._replays = Replays()
        self.begin_anew = keeps and plan.begins_anew
        """Whether an input that is sent again gets another root."""
        self._failures: dict[int, set[int]] = {}
        self._failed: dict[int, Failure] = {}
        self._known: tuple[dict[int, Any], ...] = (self._inputs, self._streamed, self._failures, self._failed)
        self._begun: dict[LinkId, tuple[int, int, int]] = {}
        self.count = 0
        """Losses of replicas so far."""

    def __contains__(self, root: object) -> bool:
        """Whether an input can be sent again: the sum of a fold cannot, nor any where a node gets each message once."""
        return root in self._inputs

    def keep(self, roots: Sequence[int], columns: Sequence[Sequence[Any]]) -> None:
        """Inputs are sent, with a column of values for each source."""
        if self._keeps:
            self._inputs.update(zip(roots, columns[0] if self._is_single else zip(*columns, strict=True), strict=True))

    def forget(self, roots: Collection[int]) -> None:
        """Inputs are done."""
        for known in self._known:
            if known:
                forget = known.pop
                for root in roots:
                    forget(root, None)

    def clear(self) -> None:
        """All are done."""
        for known in self._known:
            known.clear()

    def is_new(self, stage: int, root: int, message_id: int, index: int) -> bool:
        """Whether a result that came before its message was finished did not come already, before a loss."""
        if not self._keeps:
            return True
        if self._roots.is_finished(stage, root, message_id):
            return False
        given = self._streamed.setdefault(root, {})
        if index < given.get(message_id, 0):
            return False
        given[message_id] = index + 1
        return True

    def note_failure(self, failure: Failure, *, is_new: bool) -> None:
        """A message failed; if it was finished well before, what was lost of it cannot come a second time."""
        if not self._keeps or failure.root not in self._roots:
            return
        failed = self._failures.setdefault(failure.root, set())
        if is_new:
            failed.add(failure.message_id)
        elif failure.message_id not in failed:
            self._failed[failure.root] = failure

    def why_given_up(self, root: int, stage: Stage) -> Failure:
        """What an input ends with that is not sent again; the stage is that of the last replica that was lost."""
        if root in self._failed:
            return self._failed[root]
        name = stage.last.name
        why = f"replicas die of it: {DEATHS} did so while they were at it, after it had been lost twice before"
        if self._plan.once is not None:
            why = f"it is not sent again, since node {self._plan.once!r} is at_most_once; what it did has been done"
        elif root not in self:
            why = "it is the sum of a fold, which cannot be given again"
        elif next_attempt(root) is None:
            why = "it was sent again too often already"
        text = f"input {position_of(root)} of its call was lost with a replica of {name!r}; {why}"
        return Failure(root, 0, name, 1, CarriedError.of(ReplicaLost(text, node=name)))

    def missing(self, held: set[int]) -> Missing:
        """What is under way and in nobody's hands, given the ids of all messages that replicas have in theirs.

        One such count is not enough: a message that moves while replicas are asked one after the other may be named by
        nobody, and what has moved on since is not where it was.
        """
        held.update(self._sender.queued_ids())
        return self._roots.missing(held)

    def recover(self, before: Missing, now: Missing, covered: int | None) -> tuple[list[int], list[int]]:
        """Send inputs again of which the same was missing in two counts, one behind the other.

        Args:
            before: What was missing in the first count.
            now: What was missing in the second one.
            covered: How many losses all replicas had heard of before the first one. None: not all have answered, so
                some of it may be in the hands of one that stands still.

        Returns:
            The roots that were sent again, and the inputs that are to be given up on.
        """
        dead: list[int] = []
        lost: list[int] = []
        for root, ids in now.items():
            if root in self._roots and before.get(root, _NONE) & ids:
                is_dead = root in self._failed or root not in self or next_attempt(root) is None
                (dead if is_dead else lost).append(root)
        again, given_up = self._replays.lose(lost, covered=covered, losses=self.count)
        self._send([self._anew(root) for root in again] if self.begin_anew else again)
        self._replays.settle(self._roots)
        return again, given_up + dead if covered is not None else given_up

    def note_begun(self, replica: LinkId, stage: int, root: int, message_id: int) -> None:
        """A replica is about to begin a message of a suspect; it has one of them at a time."""
        self._begun[replica] = stage, root, message_id

    def note_loss(self, replica: LinkId, *, by_us: bool) -> None:
        """A replica is gone for good; one that was ended by us says nothing about what it had in its hands."""
        self.count += not by_us
        stage, root, message_id = self._begun.pop(replica, (0, 0, 0))
        if not by_us and root in self._roots and not self._roots.is_finished(stage, root, message_id):
            self._replays.blame(root)

    def _anew(self, root: int) -> int:
        """Have an input begin anew; gives its new root."""
        anew, values = next_attempt(root), self._inputs[root]
        assert anew is not None
        self._roots.drop([root])
        self.forget([root])
        self._roots.announce([anew], [[first_id(anew, stage)] for stage in self._plan.sources])
        self._inputs[anew] = values
        self._replays.rename(root, anew)
        return anew

    def _send(self, roots: list[int]) -> None:
        for _, mine in groupby(roots, key=call_of):
            again = list(mine)
            facts = self._facts_of(again)
            if self._replays.suspects:
                facts = {
                    root: replace(facts.get(root, _NO_FACTS), is_suspect=root in self._replays.suspects)
                    for root in again
                }
            given = [self._inputs[root] for root in again]
            columns = [given] if self._is_single else zip(*given, strict=True)
            for stage, values in zip(self._plan.sources, columns, strict=True):
                ids = [first_id(root, stage) for root in again]
                self._sender.offer_all(stage, Messages(again, ids, list(values), facts))

"""What becomes of inputs: their results and errors go to their calls, and each ends once. Guarded as those are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penguiray.errors import BudgetExceeded, DeadlineExceeded
from penguiray.ingress.call import Call
from penguiray.ingress.dead_letters import DeadLetters
from penguiray.ingress.losses import Losses
from penguiray.ingress.roots import Roots
from penguiray.link.failure import CarriedError, Failure
from penguiray.link.ids import call_of, position_of, trace_id_of
from penguiray.link.wire import LostValue
from penguiray.plan.plan import Plan, Stage

__all__ = ["Outcomes", "given_trace_id"]


@dataclass(slots=True)
class _Kept:
    """What an attempt has given so far."""

    values: list[Any] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


class Outcomes:
    """Hands on what comes of inputs that are followed.

    Where an input may begin anew, that is kept until the input is done: one attempt stands, and nothing of any other.
    """

    def __init__(
        self,
        plan: Plan,
        roots: Roots,
        losses: Losses,
        calls: Mapping[int, Call],
        *,
        epoch: int,
        advance: Callable[[Call], None],
    ) -> None:
        """Nothing has come.

        Args:
            plan: What runs.
            roots: All inputs that are not done.
            losses: What is kept of them.
            calls: Those that are open, by number.
            epoch: Of the run.
            advance: Told a call of which nothing is under way, and no more input will come.
        """
        self._plan = plan
        self._roots = roots
        self._losses = losses
        self._open = calls
        self._epoch = epoch
        self._advance = advance
        self._kept: dict[int, _Kept] = {}
        self.dead_letters = DeadLetters()
        """Messages that nodes gave up on."""
        self.roots_done = 0
        """Inputs that are done since the start."""
        self.on_cancel: Callable[[Sequence[int], Sequence[int]], None] = _nobody
        """See `Ingress.on_cancel`."""

    def deliver(self, stage: Stage, root: int, message_id: int, values: list[Any]) -> None:
        """Hand results on whose input is not done."""
        if root in self._roots and self._losses.begin_anew:
            kept = self._kept.setdefault(root, _Kept())
            kept.values += values
            if len(kept.values) > self._plan.options.max_live_messages:
                self.drop([root])
                self.end_over_budget(stage, root, message_id)
        elif root in self._roots:
            call, position = self._open[call_of(root)], position_of(root)
            call.put(position, self._without_lost(root, values), is_done=False)
            if call.floods(position, self._plan.options.max_live_messages):
                self.drop([root])
                self.end_over_budget(stage, root, message_id)

    def done(self, root: int, values: list[Any]) -> None:
        """An input is done, with these last results."""
        call = self._open[call_of(root)]
        if self._kept:
            values = self._told(root, values)
        call.live -= 1
        self._losses.forget([root])
        if call.parked:
            call.parked.discard(root)
        self.roots_done += 1
        call.put(position_of(root), self._without_lost(root, values), is_done=True)
        if not call.live and call.has_ended:
            self._advance(call)

    def done_many(self, number: int, roots: Sequence[int], values: Sequence[Any]) -> None:
        """Inputs of a call are done, each with one more result."""
        call = self._open[number]
        if not call.takes_many or self._kept or LostValue in set(map(type, values)):
            for root, value in zip(roots, values, strict=True):
                self.done(root, [value])
            return
        call.live -= len(roots)
        self._losses.forget(roots)
        self.roots_done += len(roots)
        call.put_many(values)
        if not call.live and call.has_ended:
            self._advance(call)

    def fail(self, root: int, failure: Failure) -> None:
        """An input ends here, whatever else of it is under way."""
        self.drop([root])
        self.note_error(failure)
        self.on_cancel([root], [])
        self.done(root, [])

    def drop(self, roots: list[int]) -> None:
        """Follow these inputs no further."""
        self._roots.drop(roots)
        self._losses.forget(roots)
        self._take_back(roots)

    def take_back(self, roots: list[int]) -> None:
        """These inputs have begun anew: what came of them, and still comes, is nobody's."""
        self._take_back(roots)
        if roots:
            self.on_cancel(roots, [])

    def _take_back(self, roots: list[int]) -> None:
        for root in roots if self._kept else ():
            self._kept.pop(root, None)

    def clear(self) -> None:
        """Nobody wants anything any more."""
        self._kept.clear()

    def _told(self, root: int, values: list[Any]) -> list[Any]:
        """All results of an input that is done; its failures are told now."""
        kept = self._kept.pop(root, None)
        if kept is None:
            return values
        for failure in kept.failures:
            self._tell_error(failure)
        return kept.values + values

    def end_over_budget(self, stage: Stage, root: int, message_id: int) -> None:
        """An input has turned into too many messages or results: it fails, and what is under way of it is dropped."""
        name, limit = stage.last.name, self._plan.options.max_live_messages
        error = BudgetExceeded(
            f"input {position_of(root)} of its call has turned into more than {limit:,} messages or results, at last "
            f"in {name!r}; let the node give less for one input, or raise max_live_messages of the flow's options",
            node=name,
        )
        self.note_error(Failure(root, message_id, name, 1, CarriedError.of(error)))
        self.on_cancel([root], [])
        self.done(root, [])

    def note_error(self, failure: Failure) -> None:
        """A message was given up on."""
        if self._losses.begin_anew:
            self._kept.setdefault(failure.root, _Kept()).failures.append(failure)
        else:
            self._tell_error(failure)

    def _tell_error(self, failure: Failure) -> None:
        """Keep a failure as a dead letter, and as the error of its input if that has none yet."""
        call = self._open[call_of(failure.root)]
        trace_id = given_trace_id(call, failure.root) or trace_id_of(self._epoch, failure.root)
        error = self.dead_letters.add(failure, trace_id, is_of_many=call.positions > 1)
        call.has_expired |= isinstance(error, DeadlineExceeded)
        call.errors.setdefault(position_of(failure.root), error)

    def _without_lost(self, root: int, values: list[Any]) -> list[Any]:
        """The values that could be carried; the others are an error of their input."""
        lost = [value for value in values if type(value) is LostValue]
        for value in lost:
            self._tell_error(Failure(root, 0, value.node, 1, value.error))
        return [value for value in values if type(value) is not LostValue] if lost else values


def given_trace_id(call: Call, root: int) -> str:
    """The trace id that the caller gave an input; empty if it gave none."""
    given = call.facts_of([root]).get(root)
    return "" if given is None else given.trace_id


def _nobody(_roots: Sequence[int], _calls: Sequence[int]) -> None:
    """Default for a callback that nobody has set."""

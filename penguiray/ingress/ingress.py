"""Admits inputs, follows each root until it is done, and hands results to their calls."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from penguiray.clock import Clock
from penguiray.errors import Cancelled, FlowError, RunClosed
from penguiray.ingress.admission import Admission
from penguiray.ingress.call import Call
from penguiray.ingress.dead_letters import DeadLetters
from penguiray.ingress.joins import Joins
from penguiray.ingress.losses import Losses, Missing
from penguiray.ingress.outcomes import Outcomes, given_trace_id
from penguiray.ingress.reports import Reports
from penguiray.ingress.roots import roots_for
from penguiray.ingress.sent import SentCall
from penguiray.ingress.window import MOST_INPUTS, Window
from penguiray.link.failure import CarriedError, Failure
from penguiray.link.frame import Feedback, Kind, LinkId
from penguiray.link.ids import (
    call_of,
    first_call,
    first_id,
    first_ids,
    next_attempt,
    position_of,
    root_of,
    root_of_trace,
)
from penguiray.link.message import Facts, Messages
from penguiray.link.report import NodeCount, Report
from penguiray.link.sender import Sender
from penguiray.link.transport import Transport
from penguiray.plan.plan import Plan, Stage

__all__ = ["WINDOW_PER_CALL", "Ingress"]

C = TypeVar("C", bound=Call)

WINDOW_PER_CALL = 4
"""Inputs that may be under way at first, for each call that the flow can run at the same time."""


class Ingress:
    """The caller's end of all links of a run. Nothing in it waits; its owner's lock guards it."""

    def __init__(
        self,
        plan: Plan,
        transport: Transport,
        *,
        epoch: int,
        clock: Clock,
        rng: random.Random,
        number: int = 0,
        outlives_replicas: bool = True,
    ) -> None:
        """Take no inputs yet.

        Args:
            plan: What runs.
            transport: Carries frames to the sources.
            epoch: Of the run.
            clock: Where time comes from.
            rng: Draws among the replicas of the first stages.
            number: That of this process, if it attached to the run; 0 if it started it.
            outlives_replicas: Whether inputs are kept to be sent again when a replica is lost.
        """
        self._plan = plan
        self._epoch = epoch
        self._clock = clock
        self._sender = Sender(transport, plan.options, epoch=epoch, clock=clock, rng=rng)
        self._batched = [stage.index for stage in plan.stages if stage.last.options.batch]
        self._folds = list(plan.folds)
        for index in {*plan.sources, *plan.folds, *plan.joins, *self._batched}:
            self._sender.connect(index, plan.stages[index].replicas)
        self._source_lanes = [self._sender.main_lane(stage) for stage in plan.sources]
        self._number = number
        self._calls = first_call(number)
        self._roots = roots_for(plan)
        self._open: dict[int, Call] = {}
        self._readers: dict[int, Call] = {}
        self._joins = Joins(plan, self._roots, self._sender, self._open)
        keeps = outlives_replicas and plan.once is None
        self._losses = Losses(plan, self._roots, self._sender, self._facts_of, keeps=keeps)
        self._outcomes = Outcomes(plan, self._roots, self._losses, self._open, epoch=epoch, advance=self._advance)
        self._reports = Reports(plan, self._roots, self._losses, self._outcomes)
        self._finders = [stage for stage in plan.stages if stage.finds_concurrency]
        self._least_window = WINDOW_PER_CALL * plan.concurrency
        self._admission = Admission(plan.name, plan.options.max_asks)
        self._is_sealed = False
        self.failure: Exception | None = None
        """Why the run failed; no call can succeed any more."""
        self.on_idle: Callable[[], None] = _nothing
        """Called when the last call has ended."""

    @property
    def on_cancel(self) -> Callable[[Sequence[int], Sequence[int]], None]:
        """Called with roots and calls that are given up: whatever replicas hold of them is to be dropped."""
        return self._outcomes.on_cancel

    @on_cancel.setter
    def on_cancel(self, told: Callable[[Sequence[int], Sequence[int]], None]) -> None:
        self._outcomes.on_cancel = told

    @property
    def dead_letters(self) -> DeadLetters:
        """Messages that nodes gave up on."""
        return self._outcomes.dead_letters

    @property
    def roots_done(self) -> int:
        """Inputs that are done since the start."""
        return self._outcomes.roots_done

    @property
    def roots_live(self) -> int:
        """Inputs that are not done."""
        return len(self._roots)

    @property
    def is_idle(self) -> bool:
        """Whether no call is open."""
        return not self._open

    def open_call(
        self,
        *,
        ordered: bool,
        facts: Facts | None,
        wake: Callable[[], None],
        window: int | None = None,
        reads: bool = False,
        is_ask: bool = False,
    ) -> Call:
        """Begin a call, which may have inputs in `Call.read` if it `reads`; raises the run's failure if it has one.

        Raises:
            Overloaded: It is an ask, and is refused.
        """
        if window is not None and window < 1:
            raise FlowError(f"window={window}: at least 1 input must be allowed under way")
        limit = Window(self._least_window, window, away_s=self._away_s)
        number = self._next_number()
        if is_ask:
            refusal = self._admission.admit(number, facts, len(self._roots), self._clock.now())
            if refusal is not None:
                raise refusal
        call = self._opened(Call(number, limit, ordered=ordered, facts=facts, wake=wake))
        if reads:
            self._readers[call.number] = call
        return call

    def _away_s(self) -> float:
        return self._sender.away_s

    def note_absence(self, lately_s: float) -> None:
        """For so long this process stood still lately, in seconds; from any thread."""
        self._sender.away_s = lately_s

    def open_sent(self, *, wake: Callable[[], None]) -> SentCall:
        """Begin the call of a handle that sends; raises the run's failure if it has one."""
        return self._opened(SentCall(self._next_number(), epoch=self._epoch, wake=wake))

    def _next_number(self) -> int:
        if self.failure is not None:
            raise self.failure
        if self._is_sealed:
            raise RunClosed(f"run {self._plan.name!r} takes no new messages: it is draining", run=self._plan.name)
        self._calls += 1
        return self._calls

    def _opened(self, call: C) -> C:
        call.folds_left = self._folds.copy()
        self._open[call.number] = call
        return call

    def wants_input(self, call: Call) -> bool:
        """Whether the call's window has room."""
        return self.room(call) > 0

    def room(self, call: Call) -> int:
        """Inputs that the call's window has room for, by their number and by their mean size in bytes."""
        room = call.room
        if room < 1 or call.unread > self._plan.options.max_live_messages // 2:
            return 0
        mean = self._sender.mean_bytes(self._plan.sources[0])
        if not mean:
            return room
        left = self._plan.options.retention_bytes - (call.live - len(call.parked)) * mean
        return max(0, min(room, math.ceil(left / mean)))

    @property
    def gathers(self) -> bool:
        """Whether an input without a priority would have to wait for others to go with it; to be asked by anyone."""
        for lane in self._source_lanes:  # noqa: SIM110 - asked for each input: a generator takes three times as long
            if lane.idle:
                return False
        return True

    def admit_read(self, call: Call) -> None:
        """Take in what was read of a call."""
        count = len(call.read)
        if count:
            inputs = [call.read.popleft() for _ in range(count)]
            is_single = len(self._plan.sources) == 1
            self.admit(call, [inputs] if is_single else [list(column) for column in zip(*inputs, strict=True)])

    def admit(self, call: Call, columns: list[list[Any]]) -> None:
        """Take in inputs.

        Args:
            call: The call that they belong to.
            columns: For each source, in the plan's order, its values: one for each input.
        """
        if call.has_ended or call.is_closed:
            return
        positions = call.next_positions(len(columns[0]))
        first = root_of(call.number, positions.start)
        roots = list(range(first, first + len(positions)))
        ids = [first_ids(first, len(positions), stage) for stage in self._plan.sources]
        self._roots.announce(roots, ids)
        call.live += len(roots)
        self._losses.keep(roots, columns)
        facts = call.facts_of(roots)
        for stage, column, values in zip(self._plan.sources, ids, columns, strict=True):
            self._sender.offer_all(stage, Messages(roots, column, values, facts))
        self._sender.flush()

    def refuse(self, call: Call, error: Exception) -> None:
        """Note an input that did not pass its check: it ends here, with this error."""
        if call.has_ended or call.is_closed:
            return
        (position,) = call.next_positions(1)
        call.errors[position] = error
        call.put(position, [], is_done=True)

    def end_input(self, call: Call, *, hint: bool) -> None:
        """No more input will come for the call.

        Args:
            call: The call.
            hint: Whether to tell batch nodes not to wait for more; not worth a frame for a single message.
        """
        self.admit_read(call)
        if call.is_closed:
            return
        call.has_ended = True
        if hint:
            call.hinted = self._batched
            for stage in call.hinted:
                self._sender.control(Kind.END, stage, call=call.number)
        self._joins.close_keys(call)
        self._advance(call)

    def seal(self) -> None:
        """Read no more inputs, for all calls; one that is being read at this moment is not admitted."""
        self._is_sealed = True
        for call in list(self._open.values()):
            if not call.has_ended:
                self.end_input(call, hint=True)

    def give_up(self, call: Call) -> None:
        """Nobody wants the rest of the call: what still comes of it is dropped."""
        call.read.clear()
        if call.live:
            self._outcomes.drop(self._roots.of_call(call.number))
            call.live = 0
            self.on_cancel([], [call.number])
        if call.number in self._open:
            self._close(call)
        self._sender.flush()

    def cancel(self, trace_id: str) -> int:
        """Give up the inputs of a trace; each ends with `Cancelled`. Gives how many there were.

        One whose result is there already has that for its outcome, and no second one.
        """
        roots = self._roots_of(trace_id)
        self._outcomes.drop(roots)
        if roots:
            self.on_cancel(roots, [])
        for root in roots:
            errors = self._open[call_of(root)].errors
            errors[position_of(root)] = Cancelled(f"input {trace_id!r} was cancelled", trace_id=trace_id)
            self._outcomes.done(root, [])
        self._go_on({call_of(root) for root in roots})
        return len(roots)

    def _roots_of(self, trace_id: str) -> list[int]:
        """Inputs under way whose caller gave this trace id, or the one that it follows from."""
        named = [root for root in self._roots if given_trace_id(self._open[call_of(root)], root) == trace_id]
        if named:
            return named
        root = root_of_trace(self._epoch, trace_id, self._number)
        while root is not None and root not in self._roots:
            root = next_attempt(root)
        return [] if root is None else [root]

    def fail(self, error: Exception) -> None:
        """The run cannot go on: every open call fails."""
        self.failure = self.failure or error
        self._roots.clear()
        self._losses.clear()
        self._outcomes.clear()
        self._admission.clear()
        for call in list(self._open.values()):
            call.live = 0
            del self._open[call.number]
            call.close(error)
        self._readers.clear()
        self.on_idle()

    def on_feedback(self, link: LinkId, feedback: Feedback) -> None:
        """A frame was taken by its receiver."""
        self._sender.take_credit(link, feedback)
        self._admit_all_read()
        self._sender.flush()

    def _admit_all_read(self) -> None:
        """There may be room on the way: nobody need read on for what was read to be sent."""
        for call in list(self._readers.values()):
            self.admit_read(call)

    def on_report(self, replica: LinkId, report: Report) -> None:
        """Take a replica's news in."""
        if self._reports.take(replica, report):
            if self._finders:
                self._widen()
            self._losses.forget(self._joins.look(report))
            self._sender.flush()

    def set_down(self, replica: LinkId, *, is_down: bool) -> None:
        """A replica was lost, with all that was on its way to it; or another one took its place."""
        self._sender.set_down(replica, is_down=is_down)
        if not is_down:
            self._reports.note_successor(replica)
            if replica.stage in self._batched:
                self._hint_again(replica.stage)
            self._joins.close_again(replica.stage)
        self._admit_all_read()
        self._sender.flush()

    def note_loss(self, replica: LinkId, *, by_us: bool) -> None:
        """A replica is gone for good; one that was ended by us says nothing about what it had in its hands."""
        self._losses.note_loss(replica, by_us=by_us)
        self._reports.note_loss(replica)

    def heard(self, replica: LinkId) -> int:
        """Number of the last report of a replica that was taken in."""
        return self._reports.heard(replica)

    def counts(self) -> dict[str, NodeCount]:
        """What each node did so far, over all its replicas."""
        return self._reports.counts()

    def _hint_again(self, stage: int) -> None:
        """Tell the batch nodes of a stage once more which calls have ended: one of them is new."""
        for call in self._open.values():
            if stage in call.hinted:
                self._sender.control(Kind.END, stage, call=call.number)

    def missing(self, held: set[int]) -> Missing:
        """See `Losses.missing`."""
        return self._losses.missing(held)

    def live_roots(self) -> set[int]:
        """Inputs that are not done."""
        return set(self._roots)

    def recover(self, before: Missing, now: Missing, covered: int | None, stage: Stage) -> tuple[int, int]:
        """Send inputs again of which something was lost; see `Losses.recover`.

        Returns:
            How many inputs are sent again at once, and how many are given up on.
        """
        again, dead = self._losses.recover(before, now, covered)
        if self._losses.begin_anew:
            self._outcomes.take_back(again)
        for root in dead:
            self._outcomes.fail(root, self._losses.why_given_up(root, stage))
        self._go_on({call_of(root) for root in dead})
        return len(again), len(dead)

    def _go_on(self, calls: set[int]) -> None:
        """Inputs of these calls were given up: what waits for them at joins, or for their being done, need not."""
        for number in calls & self._open.keys():
            self._joins.close_keys(self._open[number])
        self._sender.flush()

    def _facts_of(self, roots: Sequence[int]) -> Mapping[int, Facts]:
        return self._open[call_of(roots[0])].facts_of(roots)

    def refuse_message(self, root: int, message_id: int, error: CarriedError) -> None:
        """An input could not be sent: it ends here."""
        stage = self._plan.stages[self._plan.sources[0]]
        self._reports.take_failure(stage, Failure(root, message_id, stage.first.name, 1, error), None)

    def _widen(self) -> None:
        """A stage may run more calls at the same time than it was planned for: have windows hold enough for it."""
        counts, calls = self.counts(), self._plan.concurrency
        for stage in self._finders:
            calls += max(0, counts[stage.last.name].places - stage.replicas * stage.concurrency)
        least = max(WINDOW_PER_CALL * self._plan.concurrency, min(MOST_INPUTS, WINDOW_PER_CALL * calls))
        if least != self._least_window:
            self._least_window = least
            for call in self._open.values():
                call.window.keep_at_least(self._least_window)

    def _advance(self, call: Call) -> None:
        """Go on with a call that has nothing under way: close the next fold, or the call itself.

        That nothing is under way means that every message which could reach the fold has reached it. A fold's outputs
        are under way again, and may feed a later fold.
        """
        if not call.has_ended or call.live or call.number not in self._open:
            return
        if not call.folds_left:
            self._close(call)
            return
        stage = call.folds_left.pop(0)
        (position,) = call.next_positions(1)
        root = root_of(call.number, position)
        message_id = first_id(root, stage)
        self._roots.announce([root], [[message_id]])
        call.live += 1
        end = Messages([root], [message_id], [None], call.facts_of([root]))
        self._sender.control(Kind.END, stage, call=call.number, messages=end)

    def _close(self, call: Call) -> None:
        del self._open[call.number]
        self._readers.pop(call.number, None)
        if call.number in self._admission:
            self._admission.end(call.number, self._clock.now(), has_expired=call.has_expired)
        for stage in (*call.hinted, *call.folds_left):
            self._sender.control(Kind.FORGET, stage, call=call.number)
        call.close()
        if not self._open:
            self.on_idle()


def _nothing() -> None:
    """Default for a callback that nobody has set."""

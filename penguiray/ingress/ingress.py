"""Admits inputs, follows each root until it is done, and hands results to their calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from penguiray.clock import Clock
from penguiray.errors import BudgetExceeded, Cancelled, FlowError, RunClosed
from penguiray.ingress.call import Call
from penguiray.ingress.dead_letters import DeadLetters
from penguiray.ingress.joins import Joins
from penguiray.ingress.losses import Losses, Missing
from penguiray.ingress.roots import News, roots_for
from penguiray.ingress.sent import SentCall
from penguiray.ingress.window import Window
from penguiray.link.failure import CarriedError, Failure
from penguiray.link.frame import Feedback, Kind, LinkId
from penguiray.link.ids import (
    call_of,
    child_id,
    child_ids,
    first_call,
    position_of,
    root_of,
    root_of_trace,
    trace_id_of,
)
from penguiray.link.message import Facts, Messages
from penguiray.link.report import Chosen, NodeCount, Report, sent_elsewhere
from penguiray.link.sender import Sender
from penguiray.link.transport import Transport
from penguiray.link.wire import LostValue
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
        number: int = 0,
        outlives_replicas: bool = True,
    ) -> None:
        """Take no inputs yet.

        Args:
            plan: What runs.
            transport: Carries frames to the sources.
            epoch: Of the run.
            clock: Where time comes from.
            number: That of this process, if it attached to the run; 0 if it started it.
            outlives_replicas: Whether inputs are kept to be sent again when a replica is lost.
        """
        self._plan = plan
        self._epoch = epoch
        self._clock = clock
        self._sender = Sender(transport, plan.options, epoch=epoch)
        self._batched = [stage.index for stage in plan.stages if stage.last.options.batch]
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
        self._counters: dict[LinkId, dict[str, NodeCount]] = {}
        self._gone: dict[str, NodeCount] = {}
        self._heard: dict[LinkId, int] = {}
        self._lost: set[LinkId] = set()
        self._is_sealed = False
        self.failure: Exception | None = None
        """Why the run failed; no call can succeed any more."""
        self.dead_letters = DeadLetters()
        """Messages that nodes gave up on."""
        self.roots_done = 0
        """Inputs that are done since the start."""
        self.on_idle: Callable[[], None] = _nothing
        """Called when the last call has ended."""
        self.on_cancel: Callable[[Sequence[int], Sequence[int]], None] = _nobody
        """Called with roots and calls that are given up: whatever replicas hold of them is to be dropped."""

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
    ) -> Call:
        """Begin a call, which may have inputs in `Call.read` if it `reads`; raises the run's failure if it has one."""
        if window is not None and window < 1:
            raise FlowError(f"window={window}: at least 1 input must be allowed under way")
        limit = Window(WINDOW_PER_CALL * self._plan.concurrency, window)
        call = self._opened(Call(self._next_number(), limit, ordered=ordered, facts=facts, wake=wake))
        if reads:
            self._readers[call.number] = call
        return call

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
        call.folds_left = list(self._plan.folds)
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
        roots = list(range(root_of(call.number, positions.start), root_of(call.number, positions.stop)))
        ids = [child_ids(roots, stage) for stage in self._plan.sources]
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
            self._drop(self._roots.of_call(call.number))
            call.live = 0
            self.on_cancel([], [call.number])
        if call.number in self._open:
            self._close(call)
        self._sender.flush()

    def cancel(self, trace_id: str) -> int:
        """Give up the inputs of a trace; each ends with `Cancelled`. Gives how many there were.

        One whose result is there already has that for its outcome, and no second one.
        """
        roots = [root for root in self._roots_of(trace_id) if not self._roots.has_given_all(root)]
        self._drop(roots)
        if roots:
            self.on_cancel(roots, [])
        for root in roots:
            errors = self._open[call_of(root)].errors
            errors[position_of(root)] = Cancelled(f"input {trace_id!r} was cancelled", trace_id=trace_id)
            self._done(root, [])
        self._go_on({call_of(root) for root in roots})
        return len(roots)

    def _roots_of(self, trace_id: str) -> list[int]:
        """Inputs under way whose caller gave this trace id, or the one that it follows from."""
        named = [root for root in self._roots if _given_trace_id(self._open[call_of(root)], root) == trace_id]
        if named:
            return named
        root = root_of_trace(self._epoch, trace_id, self._number)
        return [root] if root is not None and root in self._roots else []

    def fail(self, error: Exception) -> None:
        """The run cannot go on: every open call fails."""
        self.failure = self.failure or error
        self._roots.clear()
        self._losses.clear()
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
        if replica not in self._lost:  # the last word of one that was lost is not its successor's
            if 0 < report.number <= self.heard(replica):
                return  # it came by a stream that broke, and once more
            self._heard[replica] = report.number
        stage = self._plan.stages[report.stage]
        for root, message_id in report.parked:
            self._roots.park(stage, root, message_id)
        for root, message_id in report.begun if replica not in self._lost else ():
            self._losses.note_begun(replica, report.stage, root, message_id)
        self._counters[replica] = report.counters
        for (root, message_id, index), value in zip(report.streamed, report.results, strict=False):
            if self._losses.is_new(stage.index, root, message_id, index):
                self._deliver(stage, root, message_id, [value])
        self._take_finished(stage, report)
        for failure in report.failures:
            self._take_failure(stage, failure, report.destinations.get(failure.message_id))
        self._losses.forget(self._joins.look(report))
        self._sender.flush()

    def set_down(self, replica: LinkId, *, is_down: bool) -> None:
        """A replica was lost, with all that was on its way to it; or another one took its place."""
        self._sender.set_down(replica, is_down=is_down)
        if not is_down:
            self._lost.discard(replica)
            self._counters.pop(replica, None)  # a late word of the one before it may have come
            if replica.stage in self._batched:
                self._hint_again(replica.stage)
        self._admit_all_read()
        self._sender.flush()

    def note_loss(self, replica: LinkId, *, by_us: bool) -> None:
        """A replica is gone for good; one that was ended by us says nothing about what it had in its hands."""
        self._losses.note_loss(replica, by_us=by_us)
        self._lost.add(replica)
        self._heard.pop(replica, None)
        for name, count in self._counters.pop(replica, {}).items():
            self._gone[name] = self._gone.get(name, NodeCount()).plus(count)

    def heard(self, replica: LinkId) -> int:
        """Number of the last report of a replica that was taken in."""
        return self._heard.get(replica, 0)

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
        for root in dead:
            self._end_failed(root, self._losses.why_given_up(root, stage))
        self._go_on({call_of(root) for root in dead})
        return again, len(dead)

    def _go_on(self, calls: set[int]) -> None:
        """Inputs of these calls were given up: what waits for them at joins, or for their being done, need not."""
        for number in calls & self._open.keys():
            self._joins.close_keys(self._open[number])
        self._sender.flush()

    def _end_failed(self, root: int, failure: Failure) -> None:
        """An input ends here, whatever else of it is under way."""
        self._note_error(failure)
        self._drop([root])
        self.on_cancel([root], [])
        self._done(root, [])

    def _drop(self, roots: list[int]) -> None:
        """Follow these roots no further."""
        self._roots.drop(roots)
        self._losses.forget(roots)

    def _facts_of(self, roots: Sequence[int]) -> Mapping[int, Facts]:
        return self._open[call_of(roots[0])].facts_of(roots)

    def refuse_message(self, root: int, message_id: int, error: CarriedError) -> None:
        """An input could not be sent: it ends here."""
        stage = self._plan.stages[self._plan.sources[0]]
        self._take_failure(stage, Failure(root, message_id, stage.first.name, 1, error), None)

    def counts(self) -> dict[str, NodeCount]:
        """What each node did so far, over all its replicas."""
        sums = {node.name: NodeCount() for stage in self._plan.stages for node in stage.nodes}
        for counters in (self._gone, *self._counters.values()):
            for name, count in counters.items():
                sums[name] = sums[name].plus(count)
        return sums

    def _take_finished(self, stage: Stage, report: Report) -> None:
        gives_now = stage.is_end and not stage.last.signature.is_stream
        if not report.destinations and set(report.counts) == {1}:
            column = self._roots.finish_column(stage, report.roots)
            if column is not None:
                self._take_column(stage, report, column, report.results if gives_now else None)
                return
        finish, results, first, destinations = self._roots.finish, report.results, 0, report.destinations
        done: dict[int, Any] = {}
        for root, message_id, count in zip(report.roots, report.ids, report.counts, strict=True):
            chosen = destinations.get(message_id) if destinations else None
            values: list[Any] = []
            if gives_now:
                given = count if chosen is None else count - sent_elsewhere(chosen)
                values = results[first : first + given]
                first += given
            news = finish(stage, root, message_id, count, chosen)
            if news is News.DONE and len(values) == 1:
                done[root] = values[0]
                continue
            self._done_with_one(done)
            self._take_news(stage, root, message_id, news, values)
        self._done_with_one(done)

    def _done_with_one(self, done: dict[int, Any]) -> None:
        """Inputs are done, each with one more result; empties what it is given."""
        for number, mine in groupby(done.items(), key=lambda item: call_of(item[0])):
            roots, values = zip(*mine, strict=True)
            self._done_many(self._open[number], roots, values)
        done.clear()

    def _take_news(self, stage: Stage, root: int, message_id: int, news: News, values: list[Any]) -> None:
        if news is News.DONE:
            self._done(root, values)
        elif news is News.OVER:
            self._end_over_budget(stage, root, message_id)
        elif values and news is News.OPEN:
            self._deliver(stage, root, message_id, values)

    def _take_column(self, stage: Stage, report: Report, news: list[News], results: list[Any] | None) -> None:
        """Take messages in that each gave one output; where all of a call are done, their results go on together."""
        roots, ids, kinds = report.roots, report.ids, set(news)
        if results is None:
            if kinds <= {News.OPEN, News.KNOWN}:
                return
        elif kinds == {News.DONE} and call_of(min(roots)) == call_of(max(roots)):
            self._done_many(self._open[call_of(roots[0])], roots, results)
            return
        for place, one in enumerate(news):
            self._take_news(stage, roots[place], ids[place], one, [] if results is None else [results[place]])

    def _done_many(self, call: Call, roots: Sequence[int], values: Sequence[Any]) -> None:
        if not call.takes_many or LostValue in set(map(type, values)):
            for root, value in zip(roots, values, strict=True):
                self._done(root, [value])
            return
        call.live -= len(roots)
        self._losses.forget(roots)
        self.roots_done += len(roots)
        call.put_many(values)
        if not call.live and call.has_ended:
            self._advance(call)

    def _take_failure(self, stage: Stage, failure: Failure, chosen: Chosen | None) -> None:
        news = self._roots.finish(stage, failure.root, failure.message_id, failure.outputs, chosen)
        self._losses.note_failure(failure, is_new=news is not News.KNOWN)
        if news is News.KNOWN:
            return
        self._note_error(failure)
        if news is News.DONE:
            self._done(failure.root, [])
        elif news is News.OVER:
            self._end_over_budget(stage, failure.root, failure.message_id)

    def _end_over_budget(self, stage: Stage, root: int, message_id: int) -> None:
        """An input has turned into too many messages or results: it fails, and what is under way of it is dropped."""
        name, limit = stage.last.name, self._plan.options.max_live_messages
        error = BudgetExceeded(
            f"input {position_of(root)} of its call has turned into more than {limit:,} messages or results, at last "
            f"in {name!r}; let the node give less for one input, or raise max_live_messages of the flow's options",
            node=name,
        )
        self._note_error(Failure(root, message_id, name, 1, CarriedError.of(error)))
        self.on_cancel([root], [])
        self._done(root, [])

    def _note_error(self, failure: Failure) -> None:
        """Keep a failure as a dead letter, and as the error of its input if that has none yet."""
        call = self._open[call_of(failure.root)]
        trace_id = _given_trace_id(call, failure.root) or trace_id_of(self._epoch, failure.root)
        error = self.dead_letters.add(failure, trace_id, is_of_many=call.positions > 1)
        call.errors.setdefault(position_of(failure.root), error)

    def _deliver(self, stage: Stage, root: int, message_id: int, values: list[Any]) -> None:
        """Hand results on whose input is not done."""
        if root in self._roots:
            call, position = self._open[call_of(root)], position_of(root)
            call.put(position, self._without_lost(root, values), is_done=False)
            if call.floods(position, self._plan.options.max_live_messages):
                self._drop([root])
                self._end_over_budget(stage, root, message_id)

    def _done(self, root: int, values: list[Any]) -> None:
        call = self._open[call_of(root)]
        call.live -= 1
        self._losses.forget([root])
        if call.parked:
            call.parked.discard(root)
        self.roots_done += 1
        call.put(position_of(root), self._without_lost(root, values), is_done=True)
        if not call.live and call.has_ended:
            self._advance(call)

    def _without_lost(self, root: int, values: list[Any]) -> list[Any]:
        """The values that could be carried; the others are an error of their input."""
        lost = [value for value in values if type(value) is LostValue]
        for value in lost:
            self._note_error(Failure(root, 0, value.node, 1, value.error))
        return [value for value in values if type(value) is not LostValue] if lost else values

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
        message_id = child_id(root, stage)
        self._roots.announce([root], [[message_id]])
        call.live += 1
        end = Messages([root], [message_id], [None], call.facts_of([root]))
        self._sender.control(Kind.END, stage, call=call.number, messages=end)

    def _close(self, call: Call) -> None:
        del self._open[call.number]
        self._readers.pop(call.number, None)
        for stage in (*call.hinted, *call.folds_left):
            self._sender.control(Kind.FORGET, stage, call=call.number)
        call.close()
        if not self._open:
            self.on_idle()


def _given_trace_id(call: Call, root: int) -> str:
    """The trace id that the caller gave an input; empty if it gave none."""
    given = call.facts_of([root]).get(root)
    return "" if given is None else given.trace_id


def _nobody(_roots: Sequence[int], _calls: Sequence[int]) -> None:
    """Default for a callback that nobody has set."""


def _nothing() -> None:
    """Default for a callback that nobody has set."""

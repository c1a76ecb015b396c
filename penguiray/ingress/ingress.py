"""Admits inputs, follows each root until it is done, and hands results to their calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from penguiray.clock import Clock
from penguiray.errors import DeadlineExceeded, NodeError
from penguiray.ingress.call import Call, Part
from penguiray.ingress.window import Window
from penguiray.link.codec import decode
from penguiray.link.failure import CarriedError, Failure
from penguiray.link.frame import Feedback, Kind, LinkId
from penguiray.link.ids import child_id, root_of, trace_id_of
from penguiray.link.ledger import Ledger
from penguiray.link.message import Facts, Messages
from penguiray.link.report import NodeCount, Report
from penguiray.link.sender import Sender
from penguiray.link.transport import Transport
from penguiray.link.wire import LostValue
from penguiray.plan.plan import Plan, Stage

__all__ = ["DeadLetter", "Ingress"]

_DEAD_LETTERS = 1_000
_WINDOW_PER_CALL = 4


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that a node gave up on."""

    node: str
    """The node."""
    value: Any
    """What the node was given; None if it was larger than 64 KiB or could not be pickled."""
    error: NodeError | DeadlineExceeded
    """Why, with the user's exception as `__cause__`."""
    trace_id: str
    """Trace id of the input that it came from."""


class _Root:
    """An input that is not done."""

    __slots__ = ("call", "error", "ledger", "position")

    def __init__(self, call: Call, position: int, announced: list[int]) -> None:
        self.call = call
        self.position = position
        self.ledger = Ledger(announced)
        self.error: Exception | None = None


class Ingress:
    """The caller's end of all links of a run. Nothing in it waits; its owner's lock guards it."""

    def __init__(self, plan: Plan, transport: Transport, *, epoch: int, clock: Clock) -> None:
        self._plan = plan
        self._epoch = epoch
        self._clock = clock
        self._sender = Sender(transport, plan.options, epoch=epoch)
        self._batched = [stage.index for stage in plan.stages if stage.last.options.batch]
        for index in {*plan.sources, *plan.folds, *self._batched}:
            self._sender.connect(index, plan.stages[index].replicas)
        self._calls = 0
        self._roots: dict[int, _Root] = {}
        self._open: dict[int, Call] = {}
        self._counters: dict[LinkId, dict[str, NodeCount]] = {}
        self.failure: Exception | None = None
        """Why the run failed; no call can succeed any more."""
        self.dead_letters: deque[DeadLetter] = deque(maxlen=_DEAD_LETTERS)
        """The newest messages that were given up on."""
        self.dead_letters_total = 0
        """How many there were since the start."""
        self.roots_done = 0
        """Inputs that are done since the start."""
        self.on_idle: Callable[[], None] = _nothing
        """Called when the last call has ended."""

    @property
    def roots_live(self) -> int:
        """Inputs that are not done."""
        return len(self._roots)

    @property
    def is_idle(self) -> bool:
        """Whether no call is open."""
        return not self._open

    def open_call(
        self, *, ordered: bool, facts: Facts | None, wake: Callable[[], None], window: int | None = None
    ) -> Call:
        """Begin a call; raises the run's failure if it has one."""
        if self.failure is not None:
            raise self.failure
        self._calls += 1
        limit = Window(_WINDOW_PER_CALL * self._plan.concurrency, window)
        call = Call(self._calls, limit, ordered=ordered, facts=facts, wake=wake)
        call.folds_left = list(self._plan.folds)
        self._open[call.number] = call
        return call

    def wants_input(self, call: Call) -> bool:
        """Whether the call's window has room, in messages and by their mean size in bytes."""
        if call.room < 1:
            return False
        in_bytes = self._plan.options.retention_bytes
        return len(call.live) * self._sender.mean_bytes(self._plan.sources[0]) < in_bytes

    def admit(self, call: Call, values: list[Any]) -> None:
        """Take in one input: one value for each source, in the plan's order."""
        position = call.next_position()
        root = root_of(call.number, position)
        ids = [child_id(root, stage) for stage in self._plan.sources]
        self._roots[root] = _Root(call, position, ids)
        call.live.add(root)
        for stage, message_id, value in zip(self._plan.sources, ids, values, strict=True):
            self._sender.offer(stage, root, message_id, value, call.facts)
        self._sender.flush()

    def refuse(self, call: Call, error: Exception) -> None:
        """Note an input that did not pass its check: it ends here, with this error."""
        call.put(Part(call.next_position(), is_last=True, error=error))

    def end_input(self, call: Call, *, hint: bool) -> None:
        """No more input will come for the call.

        Args:
            call: The call.
            hint: Whether to tell batch nodes not to wait for more; not worth a frame for a single message.
        """
        call.has_ended = True
        if hint:
            call.hinted = self._batched
            for stage in call.hinted:
                self._sender.control(Kind.END, stage, call=call.number)
        self._advance(call)

    def seal(self) -> None:
        """Read no more inputs, for all calls."""
        for call in list(self._open.values()):
            if not call.has_ended:
                self.end_input(call, hint=True)

    def give_up(self, call: Call) -> None:
        """Nobody wants the rest of the call: what still comes of it is dropped."""
        for root in call.live:
            self._roots.pop(root, None)
        call.live.clear()
        if call.number in self._open:
            self._close(call)

    def fail(self, error: Exception) -> None:
        """The run cannot go on: every open call fails."""
        self.failure = self.failure or error
        self._roots.clear()
        for call in list(self._open.values()):
            call.live.clear()
            del self._open[call.number]
            call.close(error)
        self.on_idle()

    def on_feedback(self, link: LinkId, feedback: Feedback) -> None:
        """A frame was taken by its receiver."""
        self._sender.on_feedback(link, feedback)

    def on_report(self, replica: LinkId, report: Report) -> None:
        """Take a replica's news in."""
        stage = self._plan.stages[report.stage]
        self._counters[replica] = report.counters
        results = iter(report.results)
        for (root, _, _), value in zip(report.streamed, report.results, strict=False):
            self._deliver(root, [value])
        gives_now = stage.is_end and not stage.last.signature.is_stream
        for root, message_id, count in zip(report.roots, report.ids, report.counts, strict=True):
            values = [next(results) for _ in range(count)] if gives_now else []
            self._on_finished(stage, root, message_id, count, report.branches.get(message_id), values)
        for failure in report.failures:
            self._on_failure(stage, failure)
        self._sender.flush()

    def counts(self) -> dict[str, NodeCount]:
        """What each node did so far, over all its replicas."""
        sums = {node.name: NodeCount() for stage in self._plan.stages for node in stage.nodes}
        for counters in self._counters.values():
            for name, count in counters.items():
                sums[name] = sums[name].plus(count)
        return sums

    def _on_finished(
        self, stage: Stage, root: int, message_id: int, count: int, branch: int | None, values: list[Any]
    ) -> None:
        known = self._roots.get(root)
        if known is None or not known.ledger.finish(message_id, _outputs(stage, message_id, count, branch)):
            return
        values = self._without_lost(root, known, values)
        if known.ledger.is_done:
            self._done(root, known, values)
        elif values:
            known.call.put(Part(known.position, values))

    def _on_failure(self, stage: Stage, failure: Failure) -> None:
        known = self._roots.get(failure.root)
        outputs = _outputs(stage, failure.message_id, failure.outputs, None)
        if known is None or not known.ledger.finish(failure.message_id, outputs):
            return
        letter = self._note_dead(failure, known.call)
        known.error = known.error or letter.error
        if known.ledger.is_done:
            self._done(failure.root, known, [])

    def refuse_message(self, root: int, message_id: int, error: CarriedError) -> None:
        """An input could not be sent: it ends here."""
        known = self._roots.get(root)
        if known is None or not known.ledger.finish(message_id, ()):
            return
        failure = Failure(root, message_id, self._plan.stages[self._plan.sources[0]].first.name, 1, error)
        letter = self._note_dead(failure, known.call)
        known.error = known.error or letter.error
        if known.ledger.is_done:
            self._done(root, known, [])

    def _note_dead(self, failure: Failure, call: Call) -> DeadLetter:
        letter = self._dead_letter(failure, call)
        self.dead_letters.append(letter)
        self.dead_letters_total += 1
        return letter

    def _dead_letter(self, failure: Failure, call: Call) -> DeadLetter:
        trace_id = call.facts.trace_id if call.facts and call.facts.trace_id else trace_id_of(self._epoch, failure.root)
        cause = failure.error.restore()
        error: NodeError | DeadlineExceeded
        if failure.is_late and isinstance(cause, DeadlineExceeded):
            error = cause
        else:
            attempts = "" if failure.attempt == 1 else f" after {failure.attempt} attempts"
            error = NodeError(
                f"node {failure.node!r} failed on a message{attempts}: {failure.error}",
                node=failure.node,
                attempt=failure.attempt,
                message_id=failure.message_id,
                trace_id=trace_id,
            )
            error.__cause__ = cause
        value = decode(failure.value, (), failure.definitions)[0] if failure.value else None
        return DeadLetter(failure.node, value, error, trace_id)

    def _deliver(self, root: int, values: list[Any]) -> None:
        known = self._roots.get(root)
        if known is not None:
            known.call.put(Part(known.position, self._without_lost(root, known, values)))

    def _without_lost(self, root: int, known: _Root, values: list[Any]) -> list[Any]:
        """The values that could be carried; the others are an error of their input."""
        lost = [value for value in values if type(value) is LostValue]
        for value in lost:
            failure = Failure(root, 0, "result", 1, value.error)
            letter = self._note_dead(failure, known.call)
            known.error = known.error or letter.error
        return [value for value in values if type(value) is not LostValue] if lost else values

    def _done(self, root: int, known: _Root, values: list[Any]) -> None:
        del self._roots[root]
        known.call.live.discard(root)
        self.roots_done += 1
        known.call.put(Part(known.position, values, is_last=True, error=known.error))
        self._advance(known.call)

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
        position = call.next_position()
        root = root_of(call.number, position)
        message_id = child_id(root, stage)
        self._roots[root] = _Root(call, position, [message_id])
        call.live.add(root)
        facts = {} if call.facts is None else {root: call.facts}
        self._sender.control(Kind.END, stage, call=call.number, messages=Messages([root], [message_id], [None], facts))

    def _close(self, call: Call) -> None:
        del self._open[call.number]
        for stage in (*call.hinted, *call.folds_left):
            self._sender.control(Kind.FORGET, stage, call=call.number)
        call.close()
        if not self._open:
            self.on_idle()


def _outputs(stage: Stage, message_id: int, count: int, branch: int | None) -> Iterator[int]:
    """Ids of the messages that the outputs of a finished message became."""
    for edge in stage.edges:
        if edge.branch is None or edge.branch == branch:
            for index in range(count):
                yield child_id(message_id, edge.target, index)


def _nothing() -> None:
    """Default for a callback that nobody has set."""

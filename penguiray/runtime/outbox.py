"""Where a replica's outputs and reports go: outputs to the next stages, reports and results to the caller's side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from penguiray.clock import Clock
from penguiray.errors import DeadlineExceeded
from penguiray.link.failure import CarriedError, Failure
from penguiray.link.frame import Feedback, LinkId
from penguiray.link.message import Messages
from penguiray.link.parting import part
from penguiray.link.report import NodeCount, Report
from penguiray.link.sender import Sender
from penguiray.plan.plan import Stage
from penguiray.runtime.bound import Item
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.pace import Pace
from penguiray.runtime.passed import Passed
from penguiray.runtime.ways import Ways

__all__ = ["Outbox"]

_QUEUE_LIMIT = 2_000
"""Messages that may wait for credit, and results that may wait for the caller, before the replica takes no more."""

_REPORTS_PER_RESULT = 8
"""A finished message in a report is three numbers, so more of them may wait than results."""

_COUNTERS_S = 0.1
"""Where nothing else is told, the counters are so long after they changed, in seconds."""


@dataclass(slots=True)
class _News:
    """What waits for an attached process, and how it is told."""

    report: Report
    on_news: Callable[[], None]


class Outbox:
    """Collects what a replica gives. Used on the replica's loop only, `take_report` too.

    Nothing here waits. A worker asks `room()` between messages, so what is queued is bounded by the limits, in messages
    and in bytes by their mean size, and by what the calls in progress give at once.
    """

    def __init__(
        self,
        stage: Stage,
        sender: Sender,
        counters: Mapping[str, NodeCount],
        cancelled: Cancelled,
        on_news: Callable[[], None],
        *,
        clock: Clock,
        has_more: Callable[[], bool],
        retention_bytes: int,
        on_end: Callable[[int], None] | None = None,
        on_known: Callable[[], None] | None = None,
    ) -> None:
        """Wire it up.

        Args:
            stage: The replica's.
            sender: Its links to the next stages.
            counters: What its nodes did, by their names.
            cancelled: Inputs that were given up.
            on_news: Called when `take_report` has something to say, and may call it: nothing is half noted then.
            clock: Where time comes from.
            has_more: Whether the replica has more to do at this moment, whose outputs may go along with those here.
            retention_bytes: See `FlowOptions`.
            on_end: Told the id of each message that is finished, where somebody waits for that.
            on_known: Told when the caller's side knows what was said to begin, see `note_begun`.
        """
        self._cancelled = cancelled
        self._clock = clock
        self._has_more = has_more
        self._pace = Pace()
        self._later: asyncio.TimerHandle | None = None
        self._counters_later: asyncio.TimerHandle | None = None
        self._told_repeats = 0
        self._stage = stage
        self._passes_on = stage.passes_on
        self._passed = Passed(clock)
        self._sender = sender
        self._counters = counters
        self._on_news = on_news
        self.on_end = on_end
        """See above; set when somebody begins to wait."""
        self._on_known = on_known
        self._begins: Literal["not", "in the report", "told"] = "not"
        self._retention_bytes = retention_bytes
        self._result_bytes = 0.0
        self._report = Report(stage.index)
        self._taken = 0
        self._attached: dict[int, _News] = {}
        self._has_room = asyncio.Event()
        self._ways = Ways(stage, sender, on_over=self._note_failure)

    @property
    def chooses(self) -> bool:
        """Whether an output's type may send it a way of its own."""
        return self._ways.choose

    def finish(self, item: Item, outputs: list[Any]) -> None:
        """A message is finished, with these outputs."""
        if self._cancelled.has_any and item.root in self._cancelled:
            return
        for index, output in enumerate(outputs):
            destination, value = self._ways.pass_on(item, index, output)
            if destination is None and self._stage.is_end:
                self._report.results.append(value)
        self._note(item, len(outputs))

    def finish_column(self, done: Messages) -> None:
        """Messages are finished, each with the one output that is its value now; none goes a way of its own."""
        if self._cancelled.has_any:
            done = done.without(self._cancelled)
        self._note_one_each(done.roots, done.ids)
        self._ways.pass_column_on(done)
        if self._stage.is_end:
            self._report.results += done.values
        self._note_ends(done.ids)

    def finish_empty(self, roots: list[int], ids: list[int]) -> None:
        """Messages are finished and gave nothing."""
        self._note_told(roots, ids, [0] * len(ids))
        self._note_ends(ids)

    def stream(self, item: Item, index: int, output: Any) -> None:
        """A message that is not finished has given one more output."""
        if self._cancelled.has_any and item.root in self._cancelled:
            return
        destination, value = self._ways.pass_on(item, index, output)
        if destination is None and self._stage.is_end:
            self._report.streamed.append((item.root, item.message_id, index))
            self._report.results.append(value)

    def finish_stream(self, item: Item, count: int) -> None:
        """A message is finished whose outputs were all streamed."""
        if self._cancelled.has_any and item.root in self._cancelled:
            return
        self._note(item, count)

    def park(self, item: Item) -> None:
        """A message waits here for others."""
        if not (self._cancelled.has_any and item.root in self._cancelled):
            self._report.parked.append((item.root, item.message_id))

    def fail(self, item: Item, node: str, attempt: int, error: BaseException) -> None:
        """A message is given up on."""
        if self._cancelled.has_any and item.root in self._cancelled:
            return
        data, definitions = Failure.packed_value(item.value)
        self._note_destinations(item, item.sent)
        is_late = isinstance(error, DeadlineExceeded) and error.timeout_s is None
        carried = CarriedError.of(error)
        self._note_failure(
            Failure(item.root, item.message_id, node, attempt, carried, data, definitions, item.sent, is_late)
        )
        self._note_ends([item.message_id])

    def drop_cancelled(self) -> None:
        """Take back what has not left of inputs that were given up."""
        self._sender.drop(self._cancelled)
        self._note_room()

    def refuse(self, root: int, message_id: int, error: CarriedError) -> None:
        """A message could not be carried to or from this replica: it ends here, under the last node's name."""
        self._note_failure(Failure(root, message_id, self._stage.last.name, 1, error))
        self._on_news()

    def _note_failure(self, failure: Failure) -> None:
        self._report.failures.append(failure)

    def flush(self) -> None:
        """Send what may go, and tell the caller's side that there is news.

        While the replica has more to do, what would not fill a frame waits for a moment: see `Pace`.
        """
        wait_s = self._pace.wait_s(self._clock.now()) if self._has_more() else 0.0
        if wait_s <= 0.0 or self.is_full:
            self._flush_now()
            return
        self._sender.flush(full_only=True)
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(wait_s, self._flush_now)

    def _flush_now(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        begun = self._clock.now()
        self._sender.flush()
        self._part()
        if self._passes_on and self._repeats != self._told_repeats:
            self._report.has_counters = True
        if self._report:
            self._on_news()
        elif (self._passes_on or self._attached) and self._counters_later is None:
            self._counters_later = asyncio.get_running_loop().call_later(_COUNTERS_S, self._tell_counters)
        self._pace.sent(begun, self._clock.now())

    @property
    def _repeats(self) -> int:
        """Calls that were made again. There are few, and nothing else says that there were."""
        return sum(count.retried + count.hedged for count in self._counters.values())

    def _tell_counters(self) -> None:
        self._counters_later = None
        self._report.has_counters = True
        self._on_news()

    def held(self) -> Iterator[int]:
        """Ids of the messages that wait to leave, or are on their way to receivers that have not taken them."""
        return self._sender.queued_ids()

    @property
    def has_news(self) -> bool:
        """Whether there is something to be told to the process that started the run."""
        self._part()
        return bool(self._report)

    @property
    def n_news(self) -> int:
        """How many messages they are about."""
        return max(len(self._report.ids), len(self._report.results))

    @property
    def news_bytes(self) -> float:
        """Bytes of the results among them, by the mean size; 0 while that is unknown."""
        return len(self._report.results) * self._result_bytes

    @property
    def tells_at_once(self) -> bool:
        """Whether it is told as soon as it may be that a message is finished; else mostly not at all."""
        return not self._passes_on

    def tell_all(self) -> int:
        """Have all be told that was finished lately; how many reports its owner will have had when it knows that."""
        roots, ids = self._passed.take()
        self._note_told(roots, ids, [1] * len(ids))
        self._part()
        if self._report:
            self._on_news()
        return self._taken + bool(self._report)

    def set_down(self, link: LinkId, *, is_down: bool) -> None:
        """A replica of a next stage was lost, or another one took its place."""
        self._sender.set_down(link, is_down=is_down)
        self.flush()

    def note_begun(self, root: int, message_id: int) -> None:
        """A message of a suspect is about to begin, and does so when the caller's side knows that."""
        self._passes_on = False  # nor must it be blamed for the next death when it has been finished
        self._report.begun.append((root, message_id))
        self._begins = "in the report"
        self._on_news()

    @property
    def tells_beginnings(self) -> bool:
        """Whether the next report says what is about to begin."""
        return bool(self._report.begun)

    def note_known(self) -> None:
        """The report that says what is about to begin has arrived."""
        if self._begins == "told":
            self._begins = "not"
            if self._on_known is not None:
                self._on_known()

    def note_unreached(self, link: LinkId, heard: int) -> None:
        """A frame could not be brought to a replica; see `Report.unreached`."""
        self._report.unreached[link] = heard
        self._on_news()

    def on_feedback(self, link: LinkId, feedback: Feedback) -> None:
        """A frame of ours was taken by its receiver."""
        self._sender.take_credit(link, feedback)
        if self._sender.has_waiting:
            self.flush()
        self._note_room()

    def attach(self, ingress: int, on_news: Callable[[], None]) -> None:
        """Keep news of the inputs of one more process apart; `on_news` is called when there are some."""
        self._attached.setdefault(ingress, _News(Report(self._stage.index), on_news))

    def detach(self, ingress: int) -> None:
        """Drop the news for a process, and all that will come."""
        self._part()
        self._attached.pop(ingress, None)
        self._note_room()

    def _part(self) -> None:
        """Move the news that are for attached processes to those; nobody pays for it where there are none."""
        if not self._attached or not self._report:
            return
        gives_when_finished = self._stage.is_end and not self._stage.last.signature.is_stream
        parts = part(self._report, gives_when_finished=gives_when_finished)
        before, self._report = self._report, parts.pop(0, Report(self._stage.index))
        self._report.begun, self._report.unreached = before.begun, before.unreached
        self._report.has_counters = before.has_counters
        for ingress, news in parts.items():
            mine = self._attached.get(ingress)
            if mine is not None:
                mine.report.extend(news)
                mine.on_news()

    def take_report(self, ingress: int = 0) -> Report:
        """All news for a process since the last time; the counters are a copy of what they are now, for all inputs."""
        self._part()
        if ingress:
            mine = self._attached[ingress]
            report, mine.report = mine.report, Report(self._stage.index)
        else:
            report, self._report = self._report, Report(self._stage.index)
            self._taken += 1
            report.number = self._taken
            if report.begun:
                self._begins = "told"
            if self._passes_on:
                self._told_repeats = self._repeats
            if self._counters_later is not None:
                self._counters_later.cancel()
                self._counters_later = None
        report.counters = {name: count.copy() for name, count in self._counters.items()}
        self._note_room()
        return report

    def _note_room(self) -> None:
        if not (self._has_room.is_set() or self.is_full):
            self._has_room.set()

    @property
    def is_full(self) -> bool:
        """Whether the replica should wait before it gives more."""
        if not (self._sender.queued or self._report or self._attached):
            return False
        if self._sender.queued > _QUEUE_LIMIT or _size(self._report) > _QUEUE_LIMIT:
            return True
        if self._attached and any(_size(news.report) > _QUEUE_LIMIT for news in self._attached.values()):
            return True
        return self._waiting_bytes > self._retention_bytes

    @property
    def _waiting_bytes(self) -> float:
        """Bytes of what waits, by its mean size."""
        waiting = self._sender.queued_bytes
        if self._result_bytes and (self._report.results or self._attached):
            theirs = sum(len(news.report.results) for news in self._attached.values())
            waiting += self.news_bytes + theirs * self._result_bytes
        return waiting

    @property
    def allowance(self) -> int:
        """How many messages may be given before room is to be asked for: as many as fit by their mean size, or one."""
        each = max(self._sender.most_bytes_each, self._result_bytes)
        return int((self._retention_bytes - self._waiting_bytes) / each) if each else _QUEUE_LIMIT

    def note_results(self, count: int, nbytes: int) -> None:
        """Say how many bytes a report's results had, one at least, so that those that wait are bounded in bytes too."""
        self._result_bytes = nbytes / count

    async def room(self) -> None:
        """Wait until what is queued is below the limit."""
        while self.is_full:
            self._has_room.clear()
            await self._has_room.wait()

    def _note_one_each(self, roots: list[int], ids: list[int]) -> None:
        """Messages are finished, each with one output."""
        if self._passes_on:
            self._passed.note(roots, ids)
        else:
            self._note_told(roots, ids, [1] * len(ids))

    def _note_told(self, roots: list[int], ids: list[int], counts: list[int]) -> None:
        self._report.roots += roots
        self._report.ids += ids
        self._report.counts += counts

    def _note(self, item: Item, count: int) -> None:
        if count == 1 and item.destinations is None:
            self._note_one_each([item.root], [item.message_id])
        else:
            self._note_told([item.root], [item.message_id], [count])
            self._note_destinations(item, count)
        if self.on_end is not None:
            self.on_end(item.message_id)

    def _note_ends(self, ids: Sequence[int]) -> None:
        if self.on_end is not None:
            for message_id in ids:
                self.on_end(message_id)

    def _note_destinations(self, item: Item, count: int) -> None:
        """Say which outputs went a way of their own: what became of the others follows from the plan."""
        chosen = item.destinations
        if chosen is not None:
            self._report.destinations[item.message_id] = chosen[0] if count == 1 else chosen


def _size(report: Report) -> int:
    return max(len(report.results), len(report.ids) // _REPORTS_PER_RESULT, len(report.failures))

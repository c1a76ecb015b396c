"""How a replica tells its driver: few reports at a time, over the stream or by a call, and none is lost between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from nowhere import Nowhere

import penguiray as pr
from penguiray.actors.in_turn import InTurn
from penguiray.actors.telling import Teller
from penguiray.clock import SystemClock
from penguiray.link.frame import LinkId
from penguiray.link.ids import first_id, root_of
from penguiray.link.report import Report
from penguiray.link.wire import Packed, pack_report, unpack_report
from penguiray.link.words import MOST_BYTES, Word, parted
from penguiray.runtime.bound import Item
from penguiray.runtime.outbox import Outbox
from penguiray.runtime.replica import Replica


@pr.node
def same(x: Any) -> Any:
    return x


class Wire:
    """In the place of a stream: keeps what was sent on it."""

    def __init__(self) -> None:
        self.reports: list[Report] = []

    def send(self, word: Word, *parts: bytes) -> None:
        assert word is Word.REPORT
        header, data = parted(memoryview(b"".join(parts)), 2)
        self.reports.append(unpack_report(header, data, (), node="same"))


class Side:
    """The outbox of a replica, and who tells of it."""

    def __init__(self) -> None:
        plan = pr.Flow(same).plan()
        replica = Replica(
            plan.stages[0], plan.options, Nowhere(), epoch=7, clock=SystemClock(), rng=random.Random(0),
            on_news=lambda: self.teller.note_news(), inline=True,
        )  # fmt: skip
        self.outbox: Outbox = replica.outbox
        self.woken = 0
        self.teller = Teller(self.outbox, self._pack, self._wake)
        self.wire: Any = Wire()
        self._position = 0

    def _pack(self, report: Report) -> Packed:
        n_results = len(report.results)
        _, data, _ = packed = pack_report(report, set(), inline_limit=1 << 30, node="same")
        if n_results:
            self.outbox.note_results(n_results, len(data))
        return packed

    def _wake(self) -> None:
        self.woken += 1

    def finish(self, value: Any) -> None:
        """A message is finished with this result."""
        root = root_of(1, self._position)
        self._position += 1
        self.outbox.finish(Item(root, first_id(root, 0), value), [value])
        self.outbox.flush()

    def called(self) -> list[Any] | None:
        """What the driver's next call brings."""
        report = self.report_called()
        return None if report is None else report.results

    def report_called(self) -> Report | None:
        if self.teller.waits_for_call:
            self.teller.note_called()
        given = self.teller.give()
        return given if given is None or isinstance(given, Report) else unpack_report(*given, node="same")

    def told(self) -> list[list[Any]]:
        return [report.results for report in self.wire.reports]


@pytest.fixture
def side() -> Side:
    return Side()


def test_without_a_stream_calls_bring_the_news(side: Side) -> None:
    side.finish("a")
    side.finish("b")
    assert side.woken == 2
    assert side.called() == ["a", "b"]


def test_two_reports_are_under_way_and_the_next_brings_all_that_came_before_the_first_has_arrived(side: Side) -> None:
    side.teller.use(side.wire)
    for value in ("a", "b", "c", "d"):
        side.finish(value)
    assert side.told() == [["a"], ["b"]]
    side.teller.note_arrived(0)
    assert side.told() == [["a"], ["b"]], "that was about another one"
    side.teller.note_arrived(1)
    assert side.told() == [["a"], ["b"], ["c", "d"]]
    side.teller.note_arrived(3)
    assert (side.told(), side.woken, side.called()) == ([["a"], ["b"], ["c", "d"]], 0, None)


def test_what_fills_a_report_leaves_though_two_are_under_way_until_64_are(side: Side) -> None:
    side.teller.use(side.wire)
    for value in range(2 + 64 * 1_000):
        side.finish(value)
    told = [len(results) for results in side.told()]
    assert told == [1, 1, *[1_000] * 62]
    side.teller.note_arrived(1)
    assert [len(results) for results in side.told()[64:]] == [2_000]
    assert [value for results in side.told() for value in results] == list(range(2 + 64 * 1_000))


def test_not_more_bytes_are_under_way_than_may_be_and_large_results_fill_reports_too(side: Side) -> None:
    side.teller.use(side.wire)
    for value in range(30_000):
        side.finish(f"{value:900}")
    assert not side.woken, "none was too large for the stream"
    told = len(side.told())
    assert 15 < sum(len(result) for results in side.told() for result in results) / 2**20 < 17
    side.teller.note_arrived(told)
    assert len(side.told()) == told, "what has gathered is too large for the stream"
    assert sum(map(len, side.told())) + len(side.called() or []) == 30_000


def test_one_word_says_that_several_reports_have_arrived(side: Side) -> None:
    side.teller.use(side.wire)
    for value in ("a", "b", "c"):
        side.finish(value)
    side.teller.note_arrived(2)
    side.finish("d")
    assert side.told() == [["a"], ["b"], ["c"], ["d"]]


def test_a_report_that_was_under_way_when_the_stream_broke_comes_again_by_the_next_call(side: Side) -> None:
    side.teller.use(side.wire)
    for value in ("a", "b", "c"):
        side.finish(value)
    side.teller.note_broken(side.wire)
    assert side.woken == 1
    assert side.called() == ["a"]
    assert side.called() == ["b"]
    assert side.woken == 2, "there was more to be called for"
    assert side.called() == ["c"]
    side.finish("d")
    assert side.called() == ["d"]


def test_news_that_came_before_a_stream_broke_and_were_not_told_come_by_a_call(side: Side) -> None:
    side.teller.use(side.wire)
    side.finish("a")
    side.teller.note_arrived(1)
    side.finish("b")
    side.teller.note_arrived(2)
    side.teller.note_broken(side.wire)
    side.finish("c")
    assert side.called() == ["c"]


def test_the_end_of_a_stream_that_is_not_the_drivers_changes_nothing(side: Side) -> None:
    side.teller.use(side.wire)
    other: Any = Wire()
    side.teller.note_broken(other)
    side.finish("a")
    assert side.told() == [["a"]]


def test_a_report_that_is_too_large_for_the_stream_comes_by_a_call_and_the_next_one_by_the_stream(side: Side) -> None:
    side.teller.use(side.wire)
    large = "x" * MOST_BYTES
    side.finish(large)
    side.finish("b")
    assert (side.told(), side.woken) == ([], 1)
    assert side.called() == [large]
    assert side.called() is None
    assert side.told() == [], "that the driver calls again does not say that it has taken that in"
    side.teller.note_arrived(1)
    assert side.told() == [["b"]]


def test_a_report_that_is_too_large_comes_when_those_before_it_have_arrived_or_will_come_by_calls_too(
    side: Side,
) -> None:
    side.teller.use(side.wire)
    large = "x" * MOST_BYTES
    for value in ("a", large):
        side.finish(value)
    assert side.called() is None, "the driver could not take it in, and would not call again before it has"
    side.teller.note_broken(side.wire)
    assert [side.called(), side.called()] == [["a"], [large]]


@pytest.mark.parametrize("by", ["stream", "call"])
def test_what_is_to_be_known_before_it_begins_is_known_when_the_report_has_arrived(side: Side, by: str) -> None:
    known = list[str]()
    note: Callable[[], None] = lambda: known.append("known")  # noqa: E731
    side.outbox._on_known = note
    if by == "stream":
        side.teller.use(side.wire)
    side.outbox.note_begun(7, 8)
    if by == "call":
        side.called()
    assert known == []
    if by == "stream":
        side.called()
        assert known == [], "a call that is made meanwhile says nothing about the stream"
        side.teller.note_arrived(1)
    else:
        side.called()
    assert known == ["known"]


def test_the_answer_to_a_question_brings_what_comes_of_it_and_no_other_call_has_to(side: Side) -> None:
    answers = list[Packed | None]()

    async def main() -> None:
        side.teller.hold(answers.append)
        side.finish("a")
        side.finish("b")

    asyncio.run(main())
    (packed,) = answers
    assert packed is not None
    assert unpack_report(*packed, node="same").results == ["a"]
    assert (side.woken, side.called()) == (1, ["b"])


def test_an_answer_waits_no_longer_than_a_moment_and_not_at_all_where_a_stream_brings_the_news(side: Side) -> None:
    async def one_held() -> Packed | None:
        answer: asyncio.Future[Packed | None] = asyncio.get_running_loop().create_future()
        side.teller.hold(answer.set_result)
        return await answer

    assert asyncio.run(one_held()) is None
    side.finish("a")
    assert (side.woken, side.called()) == (1, ["a"])
    side.called()
    answers = list[Packed | None]()
    side.teller.use(side.wire)
    side.teller.hold(answers.append)
    assert answers == [None]


def test_what_is_to_be_known_before_it_begins_and_what_comes_after_a_report_that_was_called_for_go_by_the_next_call(
    side: Side,
) -> None:
    answers = list[Packed | None]()

    async def main() -> None:
        side.teller.hold(answers.append)
        side.outbox.note_begun(7, 8)
        assert (answers, side.woken) == ([], 1)
        assert (report := side.report_called()) is not None
        assert report.begun == [(7, 8)]
        side.finish("a")
        assert (answers, side.woken) == ([], 2), "the driver may not have the report before"

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_each_result_comes_and_in_its_order(seed: int) -> None:
    rng, side, came = random.Random(seed), Side(), list[Any]()
    in_turn, may_call = InTurn[tuple[Report, bool]](), True
    given, seen, broken = 0, 0, rng.random() < 0.2
    if not broken:
        side.teller.use(side.wire)

    def take(report: Report, *, was_called: bool = False) -> None:
        """The driver takes a report in, in its turn, and says so on the stream, as long as that is there.

        It calls again when it has taken in what the last call has brought.
        """
        nonlocal may_call
        may_call = may_call and not was_called
        for one, calls_again in in_turn.due(LinkId(0, 0), report.number, (report, was_called)):
            came.extend(one.results)
            may_call = may_call or calls_again
            if not broken:
                side.teller.note_arrived(one.number)

    def look() -> None:
        nonlocal seen
        while seen < len(side.wire.reports):
            seen += 1
            take(side.wire.reports[seen - 1])

    for _ in range(60):
        step = rng.choice(["give", "give", "look", "call", "large", "break"])
        if step in {"give", "large"}:
            side.finish((given, "x" * MOST_BYTES if step == "large" else ""))
            given += 1
        elif step == "look":
            look()
        elif step == "call" and may_call:
            report = side.report_called()
            if report is not None:
                take(report, was_called=True)
        elif rng.random() < 0.2:
            broken = True
            side.teller.note_broken(side.wire)
            seen = len(side.wire.reports)  # what is on its way is lost, or comes again
    side.teller.note_broken(side.wire)
    broken = True
    for _ in range(given + 3):
        if may_call and (report := side.report_called()) is not None:
            take(report, was_called=True)
    numbers = [number for number, _ in came]
    assert list(dict.fromkeys(numbers)) == list(range(given))

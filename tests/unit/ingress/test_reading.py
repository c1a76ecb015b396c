"""Inputs that were read while all links were busy: who admits them, and how many may be read."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

import penguiray as pr
from penguiray.clock import SystemClock
from penguiray.errors import MessageTooLarge
from penguiray.graph.node import Graph
from penguiray.ingress.call import Call, State
from penguiray.ingress.ingress import Ingress
from penguiray.link.failure import CarriedError
from penguiray.link.frame import Feedback, Frame, LinkId
from penguiray.link.ids import child_id, first_id, root_of
from penguiray.link.message import Facts
from penguiray.link.report import NodeCount, Report

ONLY = LinkId(0, 0)
REFUSED = "refused"


@pr.node(replicas=1)
def spread(x: object) -> Iterator[object]:
    yield x


@pr.node(replicas=1, batch=pr.Batch(max_size=4), delivery="at_most_once")
def batched(xs: list[object]) -> list[object]:
    return xs


@pr.node(replicas=1, fuse=False)
def first(x: object) -> object:
    return x


@pr.node(replicas=1, fuse=False)
def second(x: object) -> object:
    return x


class Caller:
    """An ingress, and a wire that says how many bytes each frame had; values that it refuses never arrive."""

    def __init__(self, node: Graph[object, object], *, size: int = 0, retention_bytes: int = 1_000) -> None:
        self.size, self.frames = size, list[Frame]()
        options = pr.FlowOptions(retention_bytes=retention_bytes)
        self.ingress = Ingress(
            pr.Flow(node, options=options).plan(), self, epoch=1, clock=SystemClock(), rng=random.Random(1)
        )

    def send(self, frame: Frame) -> int:
        self.frames.append(frame)
        for root, message_id, value in zip(
            frame.messages.roots, frame.messages.ids, frame.messages.values, strict=True
        ):
            if value == REFUSED:
                error = CarriedError.of(MessageTooLarge("too large", size_bytes=2, limit_bytes=1))
                self.ingress.refuse_message(root, message_id, error)
        return self.size * len(frame.messages)

    def frame_bytes(self, stage: int, full_bytes: float) -> float:
        return full_bytes

    def is_near(self, link: LinkId) -> bool:
        return link.replica == 0

    def reads(self) -> Call:
        return self.ingress.open_call(ordered=False, facts=None, wake=lambda: None, window=1_000, reads=True)

    def take(self, place: int) -> None:
        """The receiver has taken a frame."""
        self.ingress.on_feedback(ONLY, Feedback(self.frames[place].sequence, 0.0))

    def sent(self) -> list[object]:
        return [value for frame in self.frames for value in frame.messages.values]


def test_what_was_read_is_sent_when_a_frame_was_taken() -> None:
    caller = Caller(spread)
    call = caller.reads()
    gathers = [caller.ingress.gathers]
    caller.ingress.admit(call, [["a"]])
    gathers.append(caller.ingress.gathers)
    assert gathers == [False, True]
    call.read.extend(["b", "c"])
    caller.take(0)
    assert caller.sent() == ["a", "b", "c"]


def test_what_was_read_is_sent_when_a_lost_replica_has_a_successor() -> None:
    caller = Caller(batched)
    call = caller.reads()
    caller.ingress.admit(call, [["a"]])
    caller.ingress.set_down(ONLY, is_down=True)
    call.read.append("b")
    caller.ingress.set_down(ONLY, is_down=False)
    assert caller.sent() == ["a", "b"]


def test_room_in_bytes_is_never_negative() -> None:
    caller = Caller(spread, size=10, retention_bytes=1_000)
    call = caller.reads()
    caller.ingress.admit(call, [list(range(50))])
    assert caller.ingress.room(call) == 50
    caller.size = 10_000
    caller.take(0)
    caller.ingress.admit(call, [list(range(10))])
    assert caller.ingress.room(call) == 0
    assert not caller.ingress.wants_input(call)


def test_a_call_may_end_while_what_others_have_read_is_admitted() -> None:
    caller = Caller(spread)
    ending, going_on = caller.reads(), caller.reads()
    caller.ingress.admit(going_on, [["a"]])
    caller.ingress.admit(ending, [[REFUSED]])  # waits for the frame before it
    caller.ingress.end_input(ending, hint=False)
    going_on.read.append("b")
    caller.take(0)
    assert ending.is_closed
    assert caller.sent()[:1] == ["a"]
    assert "b" in caller.sent()


def test_the_end_of_inputs_of_a_call_that_has_failed_sends_nothing() -> None:
    caller = Caller(batched)
    call = caller.reads()
    caller.ingress.fail(pr.RunClosed("the run was stopped"))
    caller.ingress.end_input(call, hint=True)
    assert caller.frames == []
    with pytest.raises(pr.RunClosed):
        call.take()


def test_a_report_that_comes_twice_gives_its_results_once() -> None:
    """Also where no input is kept, so that nothing else tells the second from the first."""
    caller = Caller(spread)
    caller.ingress._losses._keeps = False
    call = caller.reads()
    caller.ingress.admit(call, [["a"]])
    root = root_of(call.number, 0)
    message_id = first_id(root, 0)
    for _ in range(2):
        caller.ingress.on_report(ONLY, Report(0, 1, streamed=[(root, message_id, 0)], results=["a"]))
    part = call.take()
    assert not isinstance(part, State)
    assert part.values == ["a"]
    assert call.take() is State.NOTHING


def test_what_a_lost_replica_says_late_does_not_stand_for_its_successor() -> None:
    caller = Caller(spread)
    caller.ingress.on_report(ONLY, Report(0, 5))
    caller.ingress.note_loss(ONLY, by_us=False)
    caller.ingress.on_report(ONLY, Report(0, 6, begun=[(7, 8)]))
    assert caller.ingress.heard(ONLY) == 0
    assert not caller.ingress._losses._begun
    caller.ingress.set_down(ONLY, is_down=False)
    caller.ingress.on_report(ONLY, Report(0, 1))
    assert caller.ingress.heard(ONLY) == 1


def test_an_input_whose_result_is_there_cannot_be_cancelled_any_more() -> None:
    """Though the stage before the last has not told of it yet."""
    caller = Caller(first >> second)
    call = caller.ingress.open_call(ordered=False, facts=Facts(trace_id="mine"), wake=lambda: None)
    caller.ingress.admit(call, [["a"]])
    root = root_of(call.number, 0)
    middle = first_id(root, 0)
    last = child_id(middle, 1)
    caller.ingress.on_report(LinkId(1, 0), Report(1, 1, roots=[root], ids=[last], counts=[1], results=["a"]))
    assert caller.ingress.cancel("mine") == 0
    caller.ingress.on_report(ONLY, Report(0, 1, roots=[root], ids=[middle], counts=[1]))
    part = call.take()
    assert not isinstance(part, State)
    assert (part.values, part.ended, part.error) == (["a"], 1, None)


@pr.node(concurrency="auto")
async def finding(x: object) -> object:
    return x


def test_windows_follow_the_calls_that_replicas_found_they_can_run() -> None:
    ingress = Caller(finding).ingress
    begun = ingress.open_call(ordered=False, facts=None, wake=lambda: None)
    fixed = ingress.open_call(ordered=False, facts=None, wake=lambda: None, window=7)
    assert begun.window.size == 4 * 32
    sizes = []
    for places in (100, 4_000, 60, 5):
        ingress.on_report(ONLY, Report(0, counters={"finding": NodeCount(places=places)}))
        later = ingress.open_call(ordered=False, facts=None, wake=lambda: None)
        sizes.append(later.window.size)
    assert sizes == [400, 16_000, 240, 128]
    assert (begun.window.size, fixed.window.size) == (16_000, 7)
    ingress.on_report(ONLY, Report(0, counters={"finding": NodeCount(taken=3, places=60)}))
    ingress.note_loss(ONLY, by_us=False)
    assert (ingress.counts()["finding"].taken, ingress.counts()["finding"].places) == (3, 0)

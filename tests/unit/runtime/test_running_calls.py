"""Which call is under way, and since when: of single calls, and of one call after the other in a column."""

from __future__ import annotations

from typing import Any

from penguiray.link.ids import trace_id_of
from penguiray.link.message import Facts, Messages
from penguiray.link.running import RunningCall
from penguiray.runtime.bound import Item
from penguiray.runtime.running import RunningCalls


class HandClock:
    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


def calls_of(**wishes: Any) -> tuple[RunningCalls, HandClock]:
    clock = HandClock()
    return RunningCalls("fetch", **{"is_batch": False, "epoch": 1, "clock": clock, **wishes}), clock


def test_the_longest_calls_are_told_with_what_they_are_about() -> None:
    running, clock = calls_of()
    items = [Item(root, 10 + root, "value") for root in range(12)]
    for item in items:
        running.begin(item)
        clock.time += 1
    running.end(items[0])
    running.end(items[0])
    seen = running.look()
    assert [(call.message_id, call.age_s) for call in seen] == [(10 + root, 12 - root) for root in range(1, 9)]
    assert seen[0] == RunningCall("fetch", 11, trace_id_of(1, 1), 1, 11)


def test_a_batch_is_one_call_with_its_size_and_a_given_trace_id_is_kept() -> None:
    running, _ = calls_of(is_batch=True)
    running.begin(Item(1, 2, ["a", "b", "c"], Facts(trace_id="mine")))
    assert running.look() == [RunningCall("fetch", 2, "mine", 3, 0.0)]


def test_of_a_column_the_call_that_it_has_come_to_is_told_since_it_was_first_seen_there() -> None:
    running, clock = calls_of()
    messages = Messages([1, 2, 3], [11, 12, 13], ["a", "b", "c"], {2: Facts(trace_id="mine")})
    rest = iter(messages.values)
    running.begin_column(messages, rest)
    seen = []
    for _ in range(3):
        next(rest)
        for _ in range(2):
            clock.time += 5
            (call,) = running.look()
            seen.append((call.message_id, call.age_s))
    assert seen == [(11, 5), (11, 10), (12, 0), (12, 5), (13, 0), (13, 5)]
    running.end_column()
    assert running.look() == []


def test_a_column_looked_at_before_its_first_call_and_after_its_last_is_still_about_one_of_its_messages() -> None:
    running, _ = calls_of()
    messages = Messages([1, 2], [11, 12], ["a", "b"])
    rest = iter(messages.values)
    running.begin_column(messages, rest)
    assert running.look()[0].message_id == 11
    list(rest)
    assert running.look()[0].message_id == 12

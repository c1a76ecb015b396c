"""Long calls are spoken of once, and again each time that they have taken twice as long."""

from __future__ import annotations

import re

import penguiray as pr
from penguiray.link.frame import LinkId
from penguiray.link.running import RunningCall
from penguiray.observe.watch import CallWatch, look_every_s

HERE, THERE = LinkId(0, 0), LinkId(0, 3)


@pr.node
async def fetch(x: int) -> int:
    return x


def watch() -> CallWatch:
    return CallWatch(pr.Flow(fetch, name="index").plan())


def on(message_id: int, age_s: float, messages: int = 1) -> RunningCall:
    return RunningCall("fetch", message_id, "0abc", messages, age_s)


def test_a_call_is_spoken_of_after_thirty_seconds_and_then_at_growing_intervals() -> None:
    calls = watch()
    spoken = [
        age_s for age_s in range(0, 300, 10) if calls.look(THERE, [on(7, age_s), on(8, min(age_s, 20))], now=age_s)
    ]
    assert spoken == [30, 60, 120, 240]


def test_a_sentence_names_run_node_replica_message_trace_and_time() -> None:
    (said,) = watch().look(THERE, [on(7, 35)], now=0)
    assert said == (
        "run 'index': node 'fetch', replica 3, has been on message 7 (trace 0abc) for 35 s; it may go on, since only "
        "timeout_s= would end the call"
    )
    (said,) = watch().look(HERE, [on(7, 35, messages=12)], now=0)
    assert "replica 0, has been on a batch of 12 messages, the first of them 7 (trace 0abc) for 35 s" in said


def test_another_attempt_at_the_message_is_another_call_and_a_replica_speaks_for_itself() -> None:
    calls = watch()
    assert len(calls.look(HERE, [on(7, 31)], now=31)) == 1
    assert len(calls.look(THERE, [on(7, 31)], now=31)) == 1
    assert calls.look(HERE, [on(7, 5)], now=41) == []
    assert len(calls.look(HERE, [on(7, 35)], now=71)) == 1
    assert calls.look(HERE, [], now=72) == []
    assert len(calls.look(HERE, [on(7, 40)], now=80)) == 1


def test_the_longest_call_of_a_node_is_that_of_the_last_look_at_each_replica() -> None:
    calls = watch()
    assert calls.longest_s() == {}
    calls.look(HERE, [on(7, 31), on(8, 3)], now=31)
    calls.look(THERE, [on(9, 40)], now=31)
    assert calls.longest_s() == {"fetch": 40}
    calls.look(THERE, [], now=41)
    assert calls.longest_s() == {"fetch": 31}


def test_a_replica_that_does_not_answer_is_spoken_of_too() -> None:
    calls, spoken = watch(), []
    assert calls.silent(1_000) == []
    calls.look(THERE, [], now=100)
    for now in range(100, 400, 10):
        for said in calls.silent(now):
            assert re.match(r"run 'index': replica 3 of 'fetch' has not answered for \d+ s: ", said)
            spoken.append(now - 100)
    assert spoken == [40, 80, 160]
    calls.look(THERE, [], now=400)
    assert calls.silent(430) == []


def test_calls_are_looked_at_often_enough_for_the_time_to_report_them() -> None:
    assert look_every_s(30.0) == 10.0
    assert look_every_s(3_600.0) == 10.0
    assert look_every_s(3.0) == 1.0

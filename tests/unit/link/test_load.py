"""What a sender knows of a replica: exact for its own messages, older for those of others, and forgotten in time."""

from __future__ import annotations

import math

import pytest

from penguiray.link.frame import Feedback
from penguiray.link.load import Load, SentFrame

STAGE_S = 0.01


def cost(load: Load, now: float, bytes_each: float = 0.0) -> float:
    return load.cost_s(now, STAGE_S, bytes_each)


def near() -> Load:
    load = Load()
    load.is_near = True
    return load


def sent(at: float, messages: int = 1, *, is_first: bool = True) -> SentFrame:
    return SentFrame(list(range(messages)), 0, at, is_first)


def test_what_was_sent_counts_at_once_and_less_as_time_passes() -> None:
    load = near()
    assert cost(load, 1.0) == pytest.approx(STAGE_S)
    load.note_sent(5, 1.0, STAGE_S)
    assert cost(load, 1.0) == pytest.approx(0.06)
    assert cost(load, 1.02) == pytest.approx(0.04)
    assert cost(load, 9.0) == pytest.approx(STAGE_S)


def test_before_anybody_knows_how_quick_replicas_are_what_is_under_way_counts_all_the_same() -> None:
    idle, busy = near(), near()
    busy.note_sent(1, 0.0, 0.0)
    assert busy.cost_s(0.0, 0.0, 0.0) > idle.cost_s(0.0, 0.0, 0.0)


def test_an_answer_tells_of_the_work_of_others() -> None:
    load = near()
    load.note_heard(Feedback(0, 0.01, wait_s=0.5, held_s=0.0), sent(0.0), 0, 0.0)
    assert cost(load, 0.0) == pytest.approx(0.51)
    assert cost(load, 0.3) == pytest.approx(0.21, abs=0.001)


def test_what_is_on_its_way_to_a_replica_that_says_it_is_free_counts() -> None:
    load = near()
    load.note_heard(Feedback(0, 0.01, wait_s=0.0, held_s=0.0), sent(0.0), 30, 0.0)
    assert cost(load, 0.0) == pytest.approx(0.31)


def test_a_slow_replica_costs_more_and_is_tried_again_when_nothing_was_heard_of_it_for_long() -> None:
    load = near()
    load.note_heard(Feedback(0, 0.1, wait_s=0.0, held_s=0.0), sent(0.0), 0, 0.0)
    assert cost(load, 0.0) == pytest.approx(0.1)
    assert STAGE_S < cost(load, 5.0) < 0.1
    assert cost(load, 60.0) == pytest.approx(STAGE_S)


def test_the_shortest_round_trip_counts_and_the_time_in_the_replica_does_not() -> None:
    load = near()
    assert load.round_trip_s == math.inf
    load.note_heard(Feedback(0, 0.01, wait_s=0.0, held_s=0.3), sent(0.0), 0, 0.35)
    assert load.round_trip_s == pytest.approx(0.05)
    load.note_heard(Feedback(1, 0.01, wait_s=0.0, held_s=0.0), sent(1.0), 0, 1.2)
    assert load.round_trip_s == pytest.approx(0.05)
    assert cost(load, 1.2) > 0.025 + 0.01


def test_an_answer_that_was_kept_back_says_what_it_would_have_said_at_once() -> None:
    late, prompt = near(), near()
    for load, late_s in ((late, 0.002), (prompt, 0.0)):
        load.note_heard(Feedback(0, 0.01, held_s=0.1, late_s=late_s), sent(0.0), 0, 0.103 + late_s)
    assert late.round_trip_s == pytest.approx(prompt.round_trip_s)
    assert cost(late, 1.0) == pytest.approx(cost(prompt, 1.0), abs=0.0001)


def test_work_for_an_absence_and_a_slow_way_are_both_sent_ahead() -> None:
    load = near()
    for number in range(8):
        load.note_heard(Feedback(number, 0.00001), sent(number), 0, number + 0.02)
    assert load.lag_s == pytest.approx(0.02)
    load.note_heard(Feedback(8, 0.00001), sent(9.0), 0, 9.32, away_s=0.3)
    assert load.lag_s == pytest.approx(0.32)
    assert load.frames_ahead(1_000) == 1 + math.ceil(load.lag_s / 0.011)
    load.note_heard(Feedback(9, 0.00001), sent(10.0), 0, 10.02)
    assert load.lag_s == pytest.approx(0.02)


def test_messages_that_waited_for_those_of_others_make_a_replica_cost_more_for_a_while() -> None:
    waits, alone = near(), near()
    for second in range(8):
        for load, held_s in ((waits, 0.2 * (second > 0)), (alone, 0.0)):
            load.note_heard(Feedback(0, 0.01, wait_s=0.0, held_s=held_s), sent(second), 0, second + held_s)
    assert 0.1 < cost(waits, 8.0) - cost(alone, 8.0) < 0.2
    assert cost(waits, 60.0) == pytest.approx(cost(alone, 60.0))


@pytest.mark.parametrize("frame", [sent(1.0, 21), sent(1.0, is_first=False)], ids=["work", "behind"])
def test_the_work_of_a_frame_and_the_wait_for_ones_own_are_no_wait_for_others(frame: SentFrame) -> None:
    load = near()
    load.note_heard(Feedback(0, 0.01, wait_s=0.0, held_s=0.0), sent(0.0), 0, 0.0)
    load.note_heard(Feedback(1, 0.01, wait_s=0.0, held_s=0.2), frame, 0, 1.2)
    assert cost(load, 1.2) == pytest.approx(STAGE_S)


def test_an_answer_of_one_that_has_done_nothing_says_nothing() -> None:
    load = near()
    load.note_sent(50, 0.0, STAGE_S)
    load.note_heard(Feedback(0, 0.0), sent(0.0), 0, 0.1)
    assert cost(load, 0.1) == pytest.approx(0.41)
    assert load.round_trip_s == math.inf


def test_bytes_make_another_host_cost_more() -> None:
    here, away = near(), Load()
    assert cost(here, 0.0) < cost(away, 0.0) < cost(here, 0.0) + 0.001
    assert cost(away, 0.0, bytes_each=8e6) > cost(here, 0.0, bytes_each=8e6) + 0.008
    here.note_sent(2, 0.0, STAGE_S)
    assert cost(away, 0.0, bytes_each=8e6) < cost(here, 0.0, bytes_each=8e6)

"""A call hands results to its consumer, in order where that was asked for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.errors import RunClosed
from penguiray.ingress.call import Call, Part, State, facts_for
from penguiray.ingress.window import Window


def made(*, ordered: bool, window: int = 1_000) -> Call:
    return Call(1, Window(window, window), ordered=ordered, facts=None, wake=lambda: None)


def taken(call: Call) -> list[Part]:
    parts = []
    while isinstance(part := call.take(0.0), Part):
        parts.append(part)
    return parts


@given(seed=st.integers(0, 2**32), inputs=st.integers(0, 12))
def test_ordered_results_come_in_the_order_of_the_inputs_and_all_of_them(seed: int, inputs: int) -> None:
    rng, call = random.Random(seed), made(ordered=True)
    parts = {position: [[position, index] for index in range(rng.randrange(4))] for position in range(inputs)}
    for _ in parts:
        call.next_position()
    open_positions, given_parts = list(parts), []
    waiting = {position: list(values) for position, values in parts.items()}
    while open_positions:
        position = rng.choice(open_positions)
        values = [waiting[position].pop(0)] if waiting[position] else []
        is_last = not waiting[position] and rng.random() < 0.5
        call.put(Part(position, values, is_last=is_last))
        if is_last:
            open_positions.remove(position)
        if rng.random() < 0.5:
            given_parts += taken(call)
    given_parts += taken(call)
    assert [value for part in given_parts for value in part.values] == [
        value for position in parts for value in parts[position]
    ]
    assert call.released == inputs
    assert call.take(0.0) is State.NOTHING
    call.close()
    assert call.take(0.0) is State.END
    assert call.is_drained


def test_unordered_results_come_as_they_came() -> None:
    call = made(ordered=False)
    for position in (2, 0, 1):
        call.put(Part(position, [position], is_last=True))
    assert [part.position for part in taken(call)] == [2, 0, 1]


def test_room_is_the_window_less_what_was_admitted_and_not_released() -> None:
    call = made(ordered=True, window=3)
    for _ in range(3):
        call.next_position()
    assert call.room == 0
    call.put(Part(1, [1], is_last=True))
    assert call.room == 0
    assert taken(call) == []
    call.put(Part(0, [0]))
    assert taken(call) == [Part(0, [0])]
    assert call.room == 0
    call.put(Part(0, [], is_last=True))
    assert len(taken(call)) == 2
    assert call.room == 2
    call.has_ended = True
    assert call.room == 0


def test_a_failed_call_gives_what_had_come_and_then_raises() -> None:
    call = made(ordered=False)
    call.put(Part(0, ["kept"], is_last=True))
    call.close(RunClosed("stopped"))
    assert call.take(0.0) == Part(0, ["kept"], is_last=True)
    for _ in range(2):
        with pytest.raises(RunClosed):
            call.take(0.0)
    assert not call.is_drained


def test_every_news_wakes_the_consumer() -> None:
    woken: list[int] = []
    call = Call(1, Window(4), ordered=True, facts=None, wake=lambda: woken.append(1))
    call.put(Part(3, ["later"]))
    call.close()
    assert len(woken) == 2


def test_facts_are_none_where_the_caller_said_nothing() -> None:
    assert facts_for(None, None, None, 5.0) is None
    assert facts_for(None, {}, None, 5.0) is None
    facts = facts_for("t", {"a": "b"}, 2.0, 5.0)
    assert facts is not None
    assert (facts.trace_id, facts.headers, facts.deadline) == ("t", {"a": "b"}, 7.0)
    assert facts.shifted(-5.0).deadline == 2.0

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
    while isinstance(part := call.take(), Part):
        call.release(part, 0.0)
        parts.append(part)
    return parts


def values(parts: list[Part]) -> list[object]:
    return [value for part in parts for value in part.values]


@given(seed=st.integers(0, 2**32), inputs=st.integers(0, 12))
def test_ordered_results_come_in_the_order_of_the_inputs_and_all_of_them(seed: int, inputs: int) -> None:
    rng, call = random.Random(seed), made(ordered=True)
    results = {position: [(position, index) for index in range(rng.randrange(4))] for position in range(inputs)}
    failing = {position for position in results if rng.random() < 0.3}
    call.next_positions(inputs)
    waiting, given_parts = {position: list(some) for position, some in results.items()}, []
    while waiting:
        position = rng.choice(list(waiting))
        some = [waiting[position].pop(0)] if waiting[position] else []
        is_done = not waiting[position] and rng.random() < 0.5
        if is_done:
            del waiting[position]
            if position in failing:
                call.errors[position] = ValueError(position)
        call.put(position, list(some), is_done=is_done)
        if rng.random() < 0.5:
            given_parts += taken(call)
    given_parts += taken(call)
    assert values(given_parts) == [value for position in results for value in results[position]]
    assert [part.error.args[0] for part in given_parts if part.error] == sorted(failing)
    assert call.released == inputs
    assert call.take() is State.NOTHING
    call.close()
    assert call.take() is State.END
    assert call.is_drained


def test_unordered_results_come_as_they_came_and_are_gathered_in_one_part() -> None:
    call = made(ordered=False)
    call.next_positions(3)
    for position in (2, 0, 1):
        call.put(position, [position], is_done=True)
    assert taken(call) == [Part([2, 0, 1], 3, None)]


def test_nothing_is_gathered_behind_an_error_which_ends_its_part() -> None:
    call, error = made(ordered=False), ValueError("x")
    call.next_positions(3)
    call.errors[1] = error
    call.put(0, ["a"], is_done=True)
    call.put(1, ["b"], is_done=True)
    call.put(2, ["c"], is_done=True)
    assert taken(call) == [Part(["a", "b"], 2, error), Part(["c"], 1, None)]


def test_room_is_the_window_less_what_was_admitted_and_not_released() -> None:
    call = made(ordered=True, window=3)
    call.next_positions(3)
    assert call.room == 0
    call.put(1, [1], is_done=True)
    assert taken(call) == []
    call.put(0, [0], is_done=False)
    assert values(taken(call)) == [0]
    assert call.room == 0
    call.put(0, [], is_done=True)
    part = call.take()
    assert isinstance(part, Part)
    assert call.room == 0, "a part counts as released when the consumer has been through it, not before"
    call.release(part, 0.0)
    assert call.room == 2
    call.has_ended = True
    assert call.room == 0


def test_a_failed_call_gives_what_had_come_and_then_raises() -> None:
    call = made(ordered=False)
    call.next_positions(1)
    call.put(0, ["result"], is_done=False)
    call.close(RunClosed("stopped"))
    assert values([part for part in [call.take()] if isinstance(part, Part)]) == ["result"]
    with pytest.raises(RunClosed, match="stopped"):
        call.take()
    assert not call.is_drained


def test_every_news_wakes_the_consumer() -> None:
    woken: list[int] = []
    call = Call(1, Window(4), ordered=False, facts=None, wake=lambda: woken.append(1))
    call.put(0, [1], is_done=True)
    call.close()
    assert len(woken) == 2


def test_facts_are_kept_only_where_something_was_said() -> None:
    assert facts_for(None, None, None, 0.0) is None
    facts = facts_for("trace", {"a": "b"}, 3.0, 10.0)
    assert facts is not None
    assert (facts.trace_id, facts.headers, facts.deadline) == ("trace", {"a": "b"}, 13.0)


def test_headers_are_pairs_of_texts() -> None:
    with pytest.raises(TypeError, match="headers are pairs of texts, not 'a': 3"):
        facts_for(None, {"a": 3}, None, 0.0)  # type: ignore[dict-item]  # what is tested


@pytest.mark.parametrize("name", ["Priority", "PRIORITY"])
def test_a_priority_in_capital_letters_is_refused_with_how_it_is_written(name: str) -> None:
    text = f"the header '{name}' would mean nothing here: write it 'priority', in small letters"
    with pytest.raises(ValueError, match=text):
        facts_for(None, {name: "high"}, None, 0.0)


def test_many_inputs_that_gave_one_result_each_are_handed_on_together() -> None:
    call = made(ordered=False)
    assert call.takes_many
    call.put_many(["a", "b", "c"])
    part = call.take()
    assert isinstance(part, Part)
    assert (part.values, part.ended, part.error) == (["a", "b", "c"], 3, None)


def test_inputs_of_which_something_is_to_be_said_are_not_taken_together() -> None:
    assert not made(ordered=True).takes_many
    failed, streamed, waiting = (made(ordered=False) for _ in range(3))
    failed.errors[0] = ValueError()
    streamed.put(0, ["first"], is_done=False)
    waiting.park(7)
    assert [call.takes_many for call in (failed, streamed, waiting)] == [False] * 3

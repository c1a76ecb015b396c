"""Ids are derived: the same message has the same id, two messages have two."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penguiray.link.ids import (
    call_of,
    child_id,
    child_ids,
    first_call,
    first_id,
    first_ids,
    ingress_number,
    ingress_of,
    next_attempt,
    position_of,
    root_of,
    root_of_trace,
    trace_id_of,
)


@given(call=st.integers(1, 2**20), position=st.integers(0, 2**40 - 1))
def test_a_root_names_its_call_and_position(call: int, position: int) -> None:
    root = root_of(call, position)
    assert call_of(root) == call
    assert root - root_of(call, 0) == position_of(root) == position


@given(call=st.integers(1, 2**20), position=st.integers(0, 2**40 - 1), ingress=st.sampled_from([0, 1, 77]))
def test_attempts_of_an_input_have_ids_of_their_own_and_the_same_call_position_and_trace(
    call: int, position: int, ingress: int
) -> None:
    number = ingress_number(5, ingress) if ingress else 0
    roots = [root_of(first_call(number) + call, position)]
    while (anew := next_attempt(roots[-1])) is not None:
        roots.append(anew)
    assert len({first_id(root, 0) for root in roots}) == len(roots) == 256
    assert {(call_of(root), position_of(root), ingress_of(root)) for root in roots} == {
        (first_call(number) + call, position, number)
    }
    (trace,) = {trace_id_of(9, root) for root in roots}
    assert root_of_trace(9, trace, number) == roots[0]


def test_roots_stages_and_siblings_have_ids_of_their_own() -> None:
    roots = [root_of(call, position) for call in (1, 2, 3) for position in range(50)]
    first = [first_id(root, stage) for root in roots for stage in range(4)]
    second = [child_id(parent, stage, index) for parent in first for stage in range(4) for index in range(5)]
    assert len({*first, *second}) == len(first) + len(second)


@given(parents=st.lists(st.integers(0, 2**61 - 2), max_size=20), stage=st.integers(0, 100))
def test_ids_of_a_column_are_those_of_its_messages(parents: list[int], stage: int) -> None:
    assert child_ids(parents, stage) == [child_id(parent, stage) for parent in parents]


@given(
    call=st.integers(0, 2**23),
    position=st.integers(0, 2**40 - 1_001),
    count=st.integers(0, 600),
    stage=st.integers(0, 100),
)
def test_ids_of_inputs_in_a_row_are_those_of_each(call: int, position: int, count: int, stage: int) -> None:
    first = root_of(call, position)
    assert first_ids(first, count, stage) == [first_id(first + place, stage) for place in range(count)]


@given(epoch=st.integers(0, 2**63), call=st.integers(0, 2**23), position=st.integers(0, 2**40 - 1))
def test_a_trace_id_is_32_hexadecimal_digits_and_says_where_it_is_from(epoch: int, call: int, position: int) -> None:
    trace = trace_id_of(epoch, root_of(call, position))
    assert len(trace) == 32
    assert (int(trace[:16], 16), int(trace[16:], 16)) == (epoch, call << 40 | position)


def test_calls_do_not_meet_however_many_there_are() -> None:
    roots = {root_of(call, position) for call in range(1, 20_000) for position in range(3)}
    roots |= {anew for call in range(1, 200) if (anew := next_attempt(root_of(call, 0))) is not None}
    assert len({first_id(root, 0) for root in roots}) == len(roots)


def test_ids_are_of_the_field_of_the_prime_so_they_fit_in_61_bits() -> None:
    prime = 2**61 - 1
    parents = [child_id(root_of(1, position), 0) for position in range(50)]
    for parent in parents:
        assert 0 <= parent < prime
        assert child_id(parent + prime, 3, 4) == child_id(parent, 3, 4)
        assert child_id(parent, 3, 4 + prime) == child_id(parent, 3, 4)


def test_processes_that_attach_have_numbers_of_their_own_within_the_field_and_none_has_that_of_the_first() -> None:
    epochs = (0, 1, 2, 1_700_000_000_000_000_000, 1_700_000_000_000_000_001)
    numbers = [ingress_number(epoch, count) for epoch in epochs for count in range(100)]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < 2**61 - 1 for number in numbers)


@given(ingress=st.integers(0, 2**61), call=st.integers(0, 2**40 - 1), position=st.integers(0, 2**40 - 1))
def test_a_root_says_which_process_sent_it_up_to_the_last_of_its_calls(ingress: int, call: int, position: int) -> None:
    assert ingress_of(root_of(first_call(ingress) + call, position)) == ingress
    assert first_call(ingress + 1) == first_call(ingress) + 2**40


def test_a_text_that_is_no_trace_id_of_ours_speaks_of_no_input() -> None:
    root = root_of(5, 7)
    trace = trace_id_of(9, root)
    assert root_of_trace(9, trace) == root
    others = ["", "mine", trace[:-1], trace + "0", trace[:16], trace[:16] + "z" * 16, "f" * 32, trace_id_of(10, root)]
    assert [root_of_trace(9, other) for other in others] == [None] * len(others)

"""Credit: never below zero, never above the window, all of it back in the end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penguiray.link.credit import Credit


@given(
    limit=st.integers(1, 20),
    byte_limit=st.integers(1, 500),
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 25), st.integers(0, 300)), max_size=60),
)
def test_credit_is_conserved_whatever_is_taken_and_granted(
    limit: int, byte_limit: int, steps: list[tuple[bool, int, int]]
) -> None:
    credit = Credit(limit, byte_limit)
    out: list[tuple[int, int]] = []
    for takes, wanted, size in steps:
        if takes:
            count = min(wanted, credit.room())
            if count:
                credit.take(count, size)
                out.append((count, size))
        elif out:
            credit.grant(*out.pop(0))
        assert credit.messages_out == sum(count for count, _ in out) <= limit
        assert credit.bytes_out == sum(size for _, size in out)
        assert 0 <= credit.room() <= limit
        assert credit.bytes_out - (out[-1][1] if out else 0) < byte_limit
    for sent in out:
        credit.grant(*sent)
    assert (credit.messages_out, credit.bytes_out) == (0, 0)
    assert credit.room() == limit


def test_one_message_always_passes_an_empty_link() -> None:
    credit = Credit(1, 10)
    assert credit.room() == 1
    credit.take(1, 1_000_000)
    assert credit.room() == 0
    credit.grant(1, 1_000_000)
    assert credit.room() == 1


def test_bytes_alone_close_the_window() -> None:
    credit = Credit(100, 10)
    credit.take(1, 9)
    assert credit.room() == 99
    credit.take(1, 1)
    assert credit.room() == 0


def test_what_control_words_weigh_holds_back_no_message() -> None:
    credit = Credit(5, 10)
    credit.take(0, 1_000)
    assert credit.room() == 5
    credit.take(1, 1)
    assert credit.room() == 0

"""Errors that say that memory ran out are known by their class or by what they say."""

from __future__ import annotations

import pytest

from penguiray.runtime.out_of_memory import MemoryCeiling, is_out_of_memory


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


class CudaOutOfMemoryError(OutOfMemoryError):
    """A kind of it."""


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("tried to allocate 2 GiB"), True),
        (CudaOutOfMemoryError(), True),
        (RuntimeError("CUDA error: Out Of Memory"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"), True),
        (RuntimeError("out of paper"), False),
        (ValueError("out of memory"), False),
        (OSError("out of memory"), False),
    ],
)
def test_what_says_that_memory_ran_out(error: Exception, is_it: bool) -> None:
    assert is_out_of_memory(error) is is_it


def test_a_ceiling_is_an_eighth_below_what_failed_and_rises_after_a_thousand_calls() -> None:
    ceiling = MemoryCeiling(4_096)
    for _ in range(5_000):
        ceiling.note_call()
    assert ceiling.size == 4_096, "nothing is known that forbids more, and nothing allows it"
    ceiling.note_out_of_memory(64)
    assert ceiling.size == 56
    for _ in range(999):
        ceiling.note_call()
    assert ceiling.size == 56
    ceiling.note_call()
    assert ceiling.size == 63


def test_each_further_error_doubles_the_patience() -> None:
    ceiling = MemoryCeiling(4_096)
    for size in (64, 56):
        ceiling.note_out_of_memory(size)
    for _ in range(1_999):
        ceiling.note_call()
    assert ceiling.size == 49
    ceiling.note_call()
    assert ceiling.size > 49


def test_a_ceiling_rises_to_where_it_began() -> None:
    ceiling = MemoryCeiling(70)
    ceiling.note_out_of_memory(64)
    for _ in range(10_000):
        ceiling.note_call()
    assert ceiling.size == 70


def test_a_ceiling_is_never_below_one() -> None:
    ceiling = MemoryCeiling(4_096)
    for _ in range(3):
        ceiling.note_out_of_memory(1)
    assert ceiling.size == 1

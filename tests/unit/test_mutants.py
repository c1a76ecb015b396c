"""The bugs to plant fit the code: those of the table, and those that are listed as without a difference."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_their_folder() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "tests" / "mutants"))
    try:
        yield
    finally:
        sys.path.pop(0)


def source_of(file: str) -> str:
    return (ROOT / "penguiray" / file).read_text(encoding="utf-8")


def test_each_bug_of_the_table_can_be_planted_in_one_place() -> None:
    from table import MUTANTS

    found = {(mutant.part, mutant.breaks): source_of(mutant.file).count(mutant.snippet) for mutant in MUTANTS}
    assert {name: count for name, count in found.items() if count != 1} == {}


def test_each_bug_that_is_listed_as_without_a_difference_can_be_planted() -> None:
    from equivalent import EQUIVALENT
    from mutate import planted_in

    found = {
        (file, one.where, one.before, one.after)
        for file in {key[0] for key in EQUIVALENT}
        for one in planted_in(source_of(file), file)
    }
    assert set(EQUIVALENT) - found == set()
    assert all(EQUIVALENT.values()), "each has its reason"


def test_a_bug_is_planted_alone_and_what_says_nothing_about_behaviour_is_left_as_it_is() -> None:
    from mutate import planted_in

    source = '''
"""A text."""

__all__ = ["larger"]


def larger(one: int, other: int = 2) -> int:
    """Another text."""
    assert one != other
    return one if one > other else other
'''
    planted = list(planted_in(source, "larger.py"))
    assert [(one.line, one.where, one.before, one.after) for one in planted] == [
        (7, "larger", "2", "3"),
        (10, "larger", "return one if one > other else other", "return None"),
        (10, "larger", "one > other", "one >= other"),
    ]
    seen = []
    for one in planted:
        module: dict[str, object] = {}
        exec(one.code, module)  # noqa: S102 - what was planted just now
        larger = module["larger"]
        assert callable(larger)
        seen.append((larger(1), larger(3, 1)))
    assert seen == [(3, 3), (None, None), (2, 3)]

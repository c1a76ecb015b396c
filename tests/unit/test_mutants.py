"""The table of bugs to plant fits the code: each snippet stands there, and only once."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_bug_of_the_table_can_be_planted_in_one_place() -> None:
    sys.path.insert(0, str(ROOT / "tests" / "mutants"))
    try:
        from table import MUTANTS
    finally:
        sys.path.pop(0)
    found = {
        (mutant.part, mutant.breaks): (ROOT / "penguiray" / mutant.file)
        .read_text(encoding="utf-8")
        .count(mutant.snippet)
        for mutant in MUTANTS
    }
    assert {name: count for name, count in found.items() if count != 1} == {}

"""Each promise of `docs/promises.md` names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def test_every_promise_names_tests_that_there_are() -> None:
    rows = [line for line in (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines() if " | `" in line]
    found = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    assert len(rows) > 40
    for row in rows:
        named = NAMED.findall(row)
        assert named or "make check" in row, row
        for file, name in named:
            assert f"def {name}(" in found[file], f"{file} has no {name}"

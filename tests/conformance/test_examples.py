"""The examples of the README and of the guide run as they stand, on both engines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README, GUIDE = ROOT / "README.md", ROOT / "docs" / "guide.md"

pytestmark = pytest.mark.usefixtures("engine")


def examples(file: Path) -> list[tuple[str, list[str]]]:
    """Each example that is said to print something, with the lines; one without is a test that another test runs."""
    text = file.read_text(encoding="utf-8")
    pairs = re.findall(r"^```python\n((?:(?!```).*\n)*)```\s+It prints ([^.]*)\.\s", text, flags=re.MULTILINE)
    assert len(pairs) == text.count("```python") - text.count("def test_") == text.count("It prints ")
    return [(code, re.findall(r"`(.*?)`", printed)) for code, printed in pairs]


def run(code: str) -> None:
    exec(compile(code, "<example>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what a reader would run


def test_the_quickstart_of_the_readme_runs_and_prints_what_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = examples(README)[0]
    assert len(code.splitlines()) <= 15
    assert len(printed) == 2
    run(code)
    assert capsys.readouterr().out.splitlines() == printed


def test_every_example_of_the_guide_runs_and_prints_what_the_guide_says(capsys: pytest.CaptureFixture[str]) -> None:
    found = examples(GUIDE)
    assert len(found) == 2
    for code, printed in found:
        run(code)
        assert capsys.readouterr().out.splitlines() == printed

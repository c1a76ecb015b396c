"""The README's examples run as they stand, on both engines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"

pytestmark = pytest.mark.usefixtures("engine")


def examples() -> list[tuple[str, list[str]]]:
    """Each example that is said to print something, with the lines; one without is a test that another test runs."""
    text = README.read_text(encoding="utf-8")
    pairs = re.findall(r"^```python\n((?:(?!```).*\n)*)```\s+It prints ([^.]*)\.\s", text, flags=re.MULTILINE)
    assert len(pairs) == text.count("```python") - text.count("def test_") == text.count("It prints ")
    return [(code, re.findall(r"`(.*?)`", printed)) for code, printed in pairs]


def run(code: str) -> None:
    exec(compile(code, str(README), "exec"), {"__name__": "__main__"})  # noqa: S102 - what a reader would run


def test_the_quickstart_of_the_readme_runs_and_prints_what_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = examples()[0]
    assert len(code.splitlines()) <= 15
    assert len(printed) == 2
    run(code)
    assert capsys.readouterr().out.splitlines() == printed


def test_every_other_example_of_the_readme_runs_and_prints_what_the_readme_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for code, printed in examples()[1:]:
        run(code)
        assert capsys.readouterr().out.splitlines() == printed

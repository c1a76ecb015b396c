"""The README's quickstart runs as it stands, on both engines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"

pytestmark = pytest.mark.usefixtures("engine")


def test_the_quickstart_of_the_readme_runs_and_prints_what_the_readme_says(capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text(encoding="utf-8")
    code, *_ = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    (first, second) = re.findall(r"^It prints `(.*)` and then `(.*)`\.", text, flags=re.MULTILINE)[0]
    assert len(code.splitlines()) <= 15

    exec(compile(code, str(README), "exec"), {"__name__": "__main__"})  # noqa: S102 - what a reader would run

    assert capsys.readouterr().out.splitlines() == [first, second]

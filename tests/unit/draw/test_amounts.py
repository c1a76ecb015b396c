"""Numbers with what they count."""

from __future__ import annotations

from penguiray.draw.amounts import counted


def test_one_is_no_plural() -> None:
    assert [counted(count, "replica") for count in (0, 1, 2, 1_200)] == [
        "0 replicas", "1 replica", "2 replicas", "1,200 replicas",
    ]  # fmt: skip

"""Numbers with what they count, and times."""

from __future__ import annotations

from penguiray.draw.amounts import counted, in_seconds


def test_one_is_no_plural() -> None:
    assert [counted(count, "replica") for count in (0, 1, 2, 1_200)] == [
        "0 replicas", "1 replica", "2 replicas", "1,200 replicas",
    ]  # fmt: skip


def test_times_have_the_digits_that_matter() -> None:
    shown = [in_seconds(time_s) for time_s in (0.499997, 0.0002, 3, 12.5, 999.9, 86_400.25)]
    assert shown == ["0.5 s", "0.0002 s", "3 s", "12.5 s", "1,000 s", "86,400 s"]

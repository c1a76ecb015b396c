"""Progress is silent for short runs, one line in place on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import io
import threading

import pytest

from penguiray.observe import progress
from penguiray.observe.progress import Progress, line_of
from penguiray.observe.status import NodeStatus, Status

NODES = (
    NodeStatus("read", "read", 1, 10, 10, 0, 0, 5.0, 0.25),
    NodeStatus("embed", "embed", 2, 8, 8, 1, 0, 4.0, 0.75),
)
STATUS = Status("index", "running", 2.0, 3, 1_000, 1, NODES)


class Screen(io.StringIO):
    """Remembers what was written, and says when something was."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal
        self.written = threading.Event()

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        size = super().write(text)
        self.written.set()
        return size


def test_a_line_names_what_is_done_what_failed_and_who_is_busiest() -> None:
    line = line_of(STATUS)
    assert line == "index: 1,000 inputs done, 3 under way, 1 dead letter, 500.0/s, 2 s; busiest embed 75%"
    assert len(line_of(Status("x" * 200, "running", 1.0, 0, 0, 0, NODES))) == 100


def test_a_line_of_a_run_that_is_not_ready_says_how_long_it_is_waited_for() -> None:
    assert line_of(Status("index", "starting", 0.0, 0, 0, 0, NODES), waited_s=12.25) == "index: starting, 12 s"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_run_that_is_over_at_once_shows_nothing(is_terminal: bool) -> None:
    screen = Screen(is_terminal=is_terminal)
    with Progress(lambda: STATUS, is_on=True, out=screen):
        pass
    assert screen.getvalue() == ""


def test_what_is_off_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_S", 0.001)
    screen = Screen(is_terminal=False)
    with Progress(lambda: STATUS, is_on=False, out=screen):
        assert not screen.written.wait(0.05)


def test_without_a_terminal_each_news_is_a_plain_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PLAIN_S", 0.001)
    screen = Screen(is_terminal=False)
    with Progress(lambda: STATUS, is_on=True, out=screen):
        assert screen.written.wait(10)
    lines = screen.getvalue().splitlines()
    assert set(lines) == {line_of(STATUS)}
    assert "\r" not in screen.getvalue()


def test_on_a_terminal_the_line_stays_in_its_place_and_ends_with_the_last_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "_SILENT_S", 0.001)
    screen = Screen(is_terminal=True)
    with Progress(lambda: STATUS, is_on=True, out=screen):
        assert screen.written.wait(10)
    assert screen.getvalue().endswith(f"\r\x1b[K{line_of(STATUS)}\n")
    assert screen.getvalue().count("\n") == 1

"""The window of a call follows the flow's pace."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.ingress.window import MOST_INPUTS, Window


def release(window: Window, roots: int, now: float) -> None:
    for _ in range(roots):
        window.on_released(1, now)


@given(st.lists(st.floats(0, 5), max_size=200))
def test_a_fixed_window_never_changes(pauses: list[float]) -> None:
    window, now = Window(8, 3), 0.0
    for pause in pauses:
        now += pause
        window.on_released(1, now)
    assert window.size == 3


def test_a_window_doubles_while_it_is_released_quickly_up_to_a_bound() -> None:
    window = Window(4)
    sizes = []
    for _ in range(20):
        sizes.append(window.size)
        release(window, window.size, 0.0)
    assert sizes[:5] == [4, 8, 16, 32, 64]
    assert window.size == MOST_INPUTS


@pytest.mark.parametrize(("away_s", "size"), [(0.0, 64), (0.3, 256), (0.6, 512)])
def test_a_window_covers_the_time_for_which_its_caller_is_away(away_s: float, size: int) -> None:
    """A flow of 500 inputs a second: without absence, what is released within 0.1 s is enough."""
    window, now = Window(4, away_s=lambda: away_s), 0.0
    for _ in range(5_000):
        window.on_released(1, now)
        now += 0.002
    assert window.size == size


def test_a_window_shrinks_to_its_least_size_when_it_takes_long() -> None:
    window, now = Window(4), 0.0
    for _ in range(6):
        release(window, window.size, now)
    assert window.size == 256
    sizes = []
    for _ in range(8):
        now += 10.0
        window.on_released(1, now)
        now += 10.0
        window.on_released(window.size, now)
        sizes.append(window.size)
    assert sizes[-1] == 4
    assert sizes == sorted(sizes, reverse=True)


def test_a_window_is_kept_at_the_size_that_the_flow_needs_now_unless_it_is_fixed() -> None:
    window, fixed, now = Window(4), Window(4, 3), 0.0
    for size in (40, 20):
        window.keep_at_least(size)
        fixed.keep_at_least(size)
        assert (window.size, fixed.size) == (40, 3)
    for _ in range(8):
        window.on_released(1, now)
        now += 10.0
        window.on_released(window.size, now)
    assert window.size == 20


@given(seed=st.integers(0, 2**32), least=st.integers(1, 20_000))
def test_a_window_stays_between_its_bounds(seed: int, least: int) -> None:
    rng, window, now = random.Random(seed), Window(least), 0.0
    for _ in range(200):
        now += rng.choice([0.0, 0.001, 2.0])
        window.on_released(rng.choice([1, window.size]), now)
        assert least <= window.size <= max(least, MOST_INPUTS)

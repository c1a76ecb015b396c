"""Which calls are taken for short ones."""

from __future__ import annotations

from penguiray.runtime.light import LIGHT_S, Light


def calls_until_light(light: Light) -> int:
    count = 0
    while not light.is_light:
        light.note(LIGHT_S)
        count += 1
    return count


def test_calls_are_light_once_enough_in_a_row_were_short() -> None:
    light = Light()
    for _ in range(15):
        light.note(LIGHT_S)
    assert not light.is_light
    light.note(LIGHT_S * 1.01)
    assert calls_until_light(light) == 16


def test_a_call_that_is_a_little_longer_has_them_looked_at_again() -> None:
    light = Light()
    calls_until_light(light)
    light.note(0.005)
    assert not light.is_light
    assert calls_until_light(light) == 16


def test_each_long_one_that_was_taken_for_short_makes_belief_harder_up_to_a_limit() -> None:
    light, needed = Light(), list[int]()
    for _ in range(7):
        needed.append(calls_until_light(light))
        light.note(1.0)
    assert needed == [16, 256, 4096, 65536, 1 << 20, 1 << 20, 1 << 20]


def test_a_long_one_that_nobody_took_for_short_changes_nothing() -> None:
    light = Light()
    light.note(1.0)
    assert calls_until_light(light) == 16

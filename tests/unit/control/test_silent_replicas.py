"""Silence counts from the last word, and not while nobody listened."""

from __future__ import annotations

from penguiray.control.silence import MOST_S, Silence
from penguiray.link.frame import LinkId

ONE, OTHER = LinkId(0, 0), LinkId(0, 1)


def test_silence_is_the_time_since_the_last_word() -> None:
    silence = Silence(10.0)
    assert silence.look([ONE, OTHER], 11.0) == {ONE: 1.0, OTHER: 1.0}
    silence.heard(ONE)
    assert silence.look([ONE, OTHER], 12.5) == {ONE: 1.5, OTHER: 2.5}


def test_who_stood_still_itself_takes_nobody_for_silent() -> None:
    silence = Silence(0.0)
    assert silence.look([ONE], 3_600.0) == {ONE: MOST_S}
    silence.heard(ONE)
    assert silence.look([ONE], 3_601.0) == {ONE: 1.0}


def test_a_new_replica_begins_anew_and_those_that_are_not_listened_to_are_left_out() -> None:
    silence = Silence(0.0)
    silence.look([ONE, OTHER], 2.0)
    silence.forget(ONE)
    assert silence.look([ONE], 3.0) == {ONE: 1.0}
    assert silence.look([ONE, OTHER], 4.0) == {ONE: 2.0, OTHER: 3.0}

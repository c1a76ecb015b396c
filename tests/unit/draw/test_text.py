"""Widths, short forms and escapes of texts."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from penguiray.draw.text import escaped, shortened, width_of


def test_wide_signs_count_for_more_and_marks_above_a_letter_for_nothing() -> None:
    assert width_of("iii", 10) < width_of("aaa", 10) < width_of("AAA", 10) < width_of("日本語", 10)
    assert width_of("e\u0301", 10) == width_of("e", 10)
    assert width_of("ab", 20) == 2 * width_of("ab", 10)


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    assert shortened("short", 10) == "short"
    assert shortened("two\n  lines", 10) == "two lines"
    short = shortened("abcdefghijklmnopqrstuvwxyz", 12)
    assert short == "abcdefg…wxyz"
    assert len(short) == 12


def test_any_text_can_stand_in_xml() -> None:
    for text in ("<script>", "a & b", "\"'", "\x00\x1b[31m", "\ud800", "🐧", "two\nlines\tx"):
        element = ET.fromstring(f'<a b="{escaped(text)}">{escaped(text)}</a>')
        assert element.text is not None
        assert len(element.text) == len(text)
    assert escaped("two\nlines") == "two\nlines"

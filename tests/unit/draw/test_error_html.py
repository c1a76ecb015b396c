"""An error as HTML."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import penguiray as pr
from penguiray.draw.errors import error_html


def parsed(html: str) -> ET.Element:
    return ET.fromstring(f"<div>{html}</div>")


def words(html: str) -> str:
    return " ".join("".join(parsed(html).itertext()).split())


class Sulky(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def failed(cause: BaseException) -> pr.NodeError:
    error = pr.NodeError("node '<b>' failed", node="<b>", attempt=3, message_id=7, trace_id="ab12")
    error.__cause__ = cause
    return error


def test_a_node_error_shows_its_facts_its_cause_and_the_folded_traceback() -> None:
    cause = ValueError("<script>alert(1)</script>")
    cause.add_note("Raised in a replica:\nTraceback\n  File <x>, line 3")
    html = failed(cause)._repr_html_()
    text = words(html)
    assert "NodeError: node '<b>' failed" in text
    for fact in ("node<b>", "attempt3", "message_id7", "trace_idab12"):
        assert fact in text
    assert "because of ValueError: <script>alert(1)</script>" in text
    (details,) = parsed(html).iter("details")
    assert details.get("open") is None
    assert details.findtext("summary") == "Raised in a replica"
    assert details.findtext("pre") == "Traceback\n  File <x>, line 3"
    assert "<script>" not in html


def test_causes_are_followed_and_named_with_their_modules() -> None:
    second = ValueError("second")
    second.__cause__ = Sulky()
    text = words(failed(second)._repr_html_())
    assert "because of ValueError: second" in text
    assert f"because of {__name__}.Sulky: (its text could not be made)" in text


def test_causes_in_a_circle_end() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert words(error_html(one, {})).count("because of") == 10


def test_facts_that_are_not_there_are_left_out() -> None:
    assert "table" not in pr.PenguirayError("plain")._repr_html_()
    html = pr.DeadlineExceeded("late", node="", timeout_s=2.5)._repr_html_()
    assert "timeout_s" in html
    assert "node" not in html


def test_a_short_note_is_not_folded() -> None:
    error = pr.RunClosed("closed", run="index")
    error.add_note("stopped in cell 3")
    assert "stopped in cell 3" in words(error._repr_html_())
    assert "<details" not in error._repr_html_()

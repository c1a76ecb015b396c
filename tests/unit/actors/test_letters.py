"""What goes along with calls comes out as it went in, whatever there is of it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from penguiray.actors.letters import (
    Letter,
    answer_with,
    feedback_of,
    frame_in,
    frame_letter,
    report_of,
    told_in,
    told_letter,
)
from penguiray.link.frame import Feedback
from penguiray.link.order import Place
from penguiray.link.running import RunningCall
from penguiray.link.wire import Packed

FEEDBACK = Feedback(2**40, 0.5, 1.5, 2.5, 3.5, 4.5)
CALL = RunningCall("parse", 7, "t", 1, 3.0)


def answered(letter: Letter) -> Future[Any]:
    answer: Future[Any] = Future()
    answer.set_result(letter)
    return answer


def parts(report: Any) -> tuple[bytes, bytes, list[bytes]]:
    header, data, buffers = report
    return bytes(header), bytes(data), [bytes(buffer) for buffer in buffers]


@pytest.mark.parametrize("place", [None, Place(2**63 - 1, 3, 2**40), Place(0, 0, 0)])
@pytest.mark.parametrize("size", [0, 10, 1_000_000])
def test_a_frame(place: Place | None, size: int) -> None:
    data = b"d" * size
    letter, *beside = frame_letter(place, b"header", data, ["array"])
    assert isinstance(letter, bytes)
    found, header, body, attachments = frame_in(letter, beside)
    assert (found, bytes(header), bytes(body), list(attachments)) == (place, b"header", data, ["array"])


def test_a_large_body_is_not_copied() -> None:
    data = b"d" * 1_000_000
    _, beside = frame_letter(None, b"header", data, [])
    assert beside is data


@pytest.mark.parametrize("buffers", [[], [b"one", b"two"]])
@pytest.mark.parametrize("data", [b"", b"data"])
def test_feedback_and_a_report(data: bytes, buffers: list[bytes]) -> None:
    packed: Packed = b"header", data, [memoryview(buffer) for buffer in buffers]
    answer = answered(answer_with(FEEDBACK, packed))
    assert feedback_of(answer) == FEEDBACK
    assert parts(report_of(answer)) == (b"header", data, buffers)
    told, calls = told_in(told_letter(packed, None))
    assert parts(told) == (b"header", data, buffers)
    assert calls is None


def test_feedback_without_a_report() -> None:
    letter = answer_with(FEEDBACK)
    assert isinstance(letter, bytes)
    assert feedback_of(answered(letter)) == FEEDBACK
    assert report_of(answered(letter)) is None


@pytest.mark.parametrize("calls", [None, [], [CALL]])
def test_calls_under_way_without_a_report(calls: list[RunningCall] | None) -> None:
    assert told_in(told_letter(None, calls)) == (None, calls)


def test_calls_under_way_beside_a_report() -> None:
    told, calls = told_in(told_letter((b"header", b"data", []), [CALL]))
    assert parts(told) == (b"header", b"data", [])
    assert calls == [CALL]

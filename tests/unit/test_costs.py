"""What a message costs, in calls of Python functions: those can be counted on any machine, however busy.

The codec takes none for a message, whatever a frame has in it. The rest of the way takes a few, and none by accident.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from pydantic import BaseModel

import penguiray as pr
from penguiray.link.codec import decode, encode
from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.message import Messages
from penguiray.link.report import Report
from penguiray.link.wire import pack_frame, pack_report, unpack_frame, unpack_report

PACKAGE = str(Path(pr.__file__).parent)


class Model(BaseModel):
    number: int
    name: str = "name"
    tags: list[str] = []


@dataclasses.dataclass
class Plain:
    number: int
    name: str = "name"


@dataclasses.dataclass(slots=True)
class Slotted:
    number: int
    name: str = "name"


MAKE: dict[str, Callable[[int], Any]] = {
    "models": lambda n: Model(number=n, name=str(n), tags=["a"]),
    "models with defaults": lambda n: Model(number=n),
    "dataclasses": Plain,
    "slots": Slotted,
    "dicts": lambda n: {"number": n, "name": str(n)},
    "texts": str,
    "numbers": float,
    "tuples": lambda n: (n, str(n)),
}


def calls_of(function: Callable[[], object]) -> int:
    """Calls of functions of the package, generators that go on among them."""
    count = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(PACKAGE)

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", MAKE)
def test_the_codec_takes_no_call_for_a_message(kind: str) -> None:
    few, many = ([MAKE[kind](n) for n in range(count)] for count in (10, 1_000))
    bodies = [encode(values, inline_limit=1_024) for values in (few, many)]
    assert decode(bodies[1].data) == many
    assert calls_of(lambda: encode(few, inline_limit=1_024)) == calls_of(lambda: encode(many, inline_limit=1_024))
    assert calls_of(lambda: decode(bodies[0].data)) == calls_of(lambda: decode(bodies[1].data))


def test_frames_and_reports_take_no_call_for_a_message() -> None:
    def frame(count: int) -> Frame:
        numbers = list(range(count))
        return Frame(LinkId(0, 0), 1, 2, Kind.DATA, Messages(numbers, numbers, [Model(number=n) for n in numbers]))

    def there(count: int) -> int:
        sent, report = frame(count), Report(0, 1, results=frame(count).messages.values)
        return calls_of(
            lambda: (
                unpack_frame(*pack_frame(sent, set(), now=0.0, inline_limit=1_024), now=0.0),
                unpack_report(*pack_report(report, set(), inline_limit=1_024, node="n"), node="n"),
            )
        )

    there(10)
    assert there(10) == there(1_000)


@pr.node
def plus_one(model: Model) -> Model:
    return model


@pr.node(fuse=False)
def plus_two(model: Model) -> Model:
    return model


PER_MESSAGE = {"a list": 3.0, "an iterator": 5.5}
"""Two for a result on its way out, and for an input of an iterator a look at the clock and one at the links; what is
left is shared by the messages of a frame. A list is read in larger pieces."""


@pytest.mark.parametrize("given", PER_MESSAGE)
def test_a_message_through_two_stages_takes_few_calls(given: str) -> None:
    models = [Model(number=n) for n in range(12_000)]

    def through(run: pr.Run[Model, Model], count: int) -> int:
        def inputs() -> list[Model] | Iterator[Model]:
            return models[:count] if given == "a list" else iter(models[:count])

        return calls_of(lambda: sum(1 for _ in run.map(inputs())))

    with pr.Flow(plus_one >> plus_two).start(engine="local") as run:
        through(run, 4_000)
        each = (through(run, 12_000) - through(run, 4_000)) / 8_000
    assert 2.0 <= each < PER_MESSAGE[given]

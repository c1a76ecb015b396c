"""What a message costs, in calls, instructions and memory: those can be counted on any machine, however busy.

The codec takes no call for a message, whatever a frame has in it. The rest of the way takes a few, and none by
accident. What a byte costs is seen in the memory that is taken for it: a pass that copies needs a place for the copy.
`costs.py` counts what is smaller than a call.
"""

from __future__ import annotations

import ast
import dataclasses
import os
import socket
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from costs import calls_of, ticking
from pydantic import BaseModel

import penguiray as pr
from penguiray.actors.stream import Stream
from penguiray.actors.streams import pack_place, unpack_place
from penguiray.link.codec import decode, encode
from penguiray.link.frame import Frame, Kind, LinkId
from penguiray.link.message import Messages
from penguiray.link.order import Place
from penguiray.link.report import Report
from penguiray.link.wire import Packed, pack_frame, pack_report, unpack_frame, unpack_report
from penguiray.link.words import Word, Words, joined, pieces_of

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


@pytest.mark.parametrize("kind", MAKE)
def test_the_codec_takes_no_call_for_a_message(kind: str) -> None:
    few, many, more = ([MAKE[kind](n) for n in range(count)] for count in (10, 1_000, 3_000))
    bodies = [encode(values, inline_limit=1_024) for values in (many, more)]
    assert decode(bodies[0].data) == many
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

    there(1_000)
    assert there(1_000) == there(2_000)


def memory_of(function: Callable[[], object]) -> int:
    """Most bytes that were taken at the same time."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = function()
        _, most = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return most - before


class NoLoop:
    """In the place of a stream's loop: never has a turn."""

    def call_soon_threadsafe(self, function: Callable[[], object]) -> None: ...


LARGE = [bytes(100_000) for _ in range(5)]
COPY_SLACK = 50_000


def test_the_bytes_of_a_frame_are_copied_once_where_it_is_written_and_once_where_it_is_read() -> None:
    total = sum(map(len, LARGE))
    frame = Frame(LinkId(0, 0), 1, 2, Kind.DATA, Messages([1] * 5, [1] * 5, LARGE))

    def pack() -> Packed:
        return pack_frame(frame, set(), now=0.0, inline_limit=1_024)

    def receive() -> list[Any]:
        at = 0
        while at < len(sent):
            room = words.room()
            size = min(len(room), len(sent) - at)
            room[:size] = sent[at : at + size]
            at += size
            for _, payload in words.take(size):
                _, header, data = unpack_place(1, payload)
                unpacked, failure = unpack_frame(header, data, (), now=0.0)
                assert failure is None
                values = unpacked.messages.values
        return values

    header, data, _ = pack()
    parts = [pack_place(Place(1, Kind.DATA, 0)), *joined(header, data)]
    sent, words = memoryview(b"".join(pieces_of(Word.FRAME, *parts))), Words()
    assert receive() == LARGE  # and the place for such a word is there from now on
    assert memory_of(pack) < total + COPY_SLACK
    assert memory_of(receive) < total + COPY_SLACK


def test_what_a_socket_does_not_take_at_once_is_not_copied() -> None:
    ours, theirs = socket.socketpair()
    loop: Any = NoLoop()
    stream = Stream(ours, loop, most_bytes=10, on_word=lambda *_: None, on_broken=lambda _: None)

    def send() -> None:
        for _ in range(10):
            stream.send(Word.FRAME, *LARGE)

    assert memory_of(send) < COPY_SLACK
    ours.close()
    theirs.close()


@pr.node
def plus_one(model: Model) -> Model:
    return model


@pr.node(fuse=False)
def plus_two(model: Model) -> Model:
    return model


PER_MESSAGE = {"a list": 3.0, "an iterator": 4.0}
"""Two for a result on its way out, and for an input of an iterator a look at the clock and one at the links; what is
left is shared by the messages of a frame. A list is read in larger pieces."""


@pytest.mark.parametrize("given", PER_MESSAGE)
def test_a_message_through_two_stages_takes_few_calls(given: str) -> None:
    models = [Model(number=n) for n in range(12_000)]

    def through(run: pr.Run[Model, Model], count: int) -> int:
        def inputs() -> list[Model] | Iterator[Model]:
            return models[:count] if given == "a list" else iter(models[:count])

        return calls_of(lambda: sum(1 for _ in run.map(inputs())))

    with ticking(), pr.Flow(plus_one >> plus_two).start(engine="local") as run:
        through(run, 4_000)
        each = (through(run, 12_000) - through(run, 4_000)) / 8_000
    assert 2.0 <= each < PER_MESSAGE[given]


PINNED = {
    (3, 11): {
        "to bytes": (0.81, 0.14),
        "from bytes": (0.94, 17.13),
        "a list": (177.56, 6.66),
        "an iterator": (217.02, 11.54),
    },
    (3, 12): {
        "to bytes": (0.72, 0.09),
        "from bytes": (0.83, 17.08),
        "a list": (166.32, 5.15),
        "an iterator": (201.46, 7.4),
    },
    (3, 13): {
        "to bytes": (0.72, 0.09),
        "from bytes": (0.8, 15.08),
        "a list": (156.86, 5.14),
        "an iterator": (194.9, 7.38),
    },
}
"""For each version of Python what a message costs: instructions of the package, and blocks of memory.

`.venv/bin/python tests/unit/costs.py` prints the line of its Python. A change that costs more on purpose says so in its
commit. Blocks follow pydantic too, whose models they are."""
SLACK = 0.02
"""By which share each may differ. Two counts hardly ever do; one more attribute that is looked up for each message
is more than this, but for the codec, which has none left: its figures are those of a frame, shared by 1,000."""
LEAST_SLACK = 0.05
"""By how much each may differ."""


@pytest.mark.filterwarnings("default:no costs are pinned")
def test_a_message_costs_the_instructions_and_the_memory_that_are_pinned_for_this_python() -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(Path(PACKAGE).parent)}
    program = Path(__file__).with_name("costs.py")
    line = subprocess.run([sys.executable, program], env=environment, check=True, capture_output=True, text=True).stdout
    ((version, costs),) = ast.literal_eval(f"{{{line}}}").items()
    assert version == sys.version_info[:2]
    if version not in PINNED:
        warnings.warn(f"no costs are pinned for this Python; to be added to PINNED:\n{line}", stacklevel=1)
        return
    differing = {
        name: (measured, pinned)
        for name, pinned in PINNED[version].items()
        for measured in [costs[name]]
        if any(abs(one - other) > max(SLACK * other, LEAST_SLACK) for one, other in zip(measured, pinned, strict=True))
    }
    assert not differing, f"measured and pinned; if that is meant, pin this instead:\n{line}"

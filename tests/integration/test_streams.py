"""A flow whose processes talk over sockets: it does so by itself, and breaking them loses nothing."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from test_losses import made

import penguiray as pr
from penguiray.link.frame import LinkId

pytestmark = pytest.mark.usefixtures("ray_cluster")

PATIENCE_S = 60.0


class Cut:
    """Breaks all streams of its process after so many messages, half of them in the middle of a word."""

    def __init__(self, folder: Path) -> None:
        self._after = random.Random(str(folder)).randrange(200, 600)
        self._seen = 0
        self._streams: list[Any] = []

    def setup(self) -> None:
        from penguiray.actors.stream import Stream

        opened, streams = Stream.open, self._streams

        def noted(stream: Any) -> None:
            streams.append(stream)
            opened(stream)

        Stream.open = noted  # type: ignore[method-assign, assignment]  # in this replica's process, which is the test's

    def note(self) -> None:
        self._seen += 1
        if self._seen == self._after:
            for number, stream in enumerate(self._streams):
                with suppress(OSError):  # its other side has broken it before
                    if number % 2:
                        stream._socket.send(b"\0\0\0\5no")
                    stream._socket.shutdown(socket.SHUT_RDWR)


class Pair(Cut):
    def __call__(self, x: int) -> Iterator[int]:
        self.note()
        yield x
        yield -x


class Text(Cut):
    def __call__(self, x: int) -> str:
        self.note()
        return str(x)


def positive(x: int) -> int:
    return abs(x)


def text(x: int) -> str:
    return str(x)


def streams_of(run: pr.Run[Any, Any]) -> list[bool]:
    """For each replica, whether frames to it go over a stream."""
    engine: Any = run._engine
    links = [LinkId(stage.index, number) for stage in engine.plan.stages for number in range(stage.replicas)]
    return [engine._links.transport.has_stream(link) for link in links]


def test_processes_of_one_host_talk_over_streams_unless_the_flow_says_otherwise() -> None:
    graph = pr.node(fuse=False)(positive) >> pr.node(replicas=2, fuse=False)(text)
    for streams in (True, False):
        with pr.Flow(graph, options=pr.FlowOptions(streams=streams)).start() as run:
            assert sorted(run.map(range(-5, 5))) == sorted(str(abs(x)) for x in range(-5, 5))
            assert streams_of(run) == [streams] * 4


def test_streams_that_break_while_a_flow_works_lose_nothing_and_give_nothing_twice(tmp_path: Path) -> None:
    graph = made(Pair, tmp_path / "a", replicas=2, fuse=False) >> made(Text, tmp_path / "b", replicas=2, fuse=False)
    inputs = range(1, 4_001)
    with pr.Flow(graph).start() as run:
        assert all(streams_of(run))
        assert Counter(run.map(inputs)) == Counter(str(y) for x in inputs for y in (x, -x))
        assert not any(streams_of(run))
        assert sorted(run.ask_all(7)) == ["-7", "7"], "it goes on by calls"
        assert run.status().dead_letters == 0


def test_a_lone_message_is_one_word_for_each_stage_and_its_result_another(monkeypatch: pytest.MonkeyPatch) -> None:
    from penguiray.actors.stream import Stream

    with pr.Flow(pr.node(positive)).start() as run:
        run.ask(1)
        sent, send, quiet = list[str](), Stream.send, threading.Event()

        def noted(stream: Any, word: Any, *parts: bytes) -> None:
            sent.append(word.name)
            send(stream, word, *parts)
            if word.name == "ASK":
                quiet.set()

        monkeypatch.setattr(Stream, "send", noted)
        assert run.ask(-2) == 2
        assert quiet.wait(PATIENCE_S)
        assert sent == ["FRAME", "ASK"]


def test_without_streams_the_call_that_brings_a_question_brings_its_answer_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where that takes no longer than a moment: on a busy host not each time."""
    from penguiray.actors.letters import feedback_of, report_of

    reports, were_late = list[bool](), list[bool]()

    def noted(answer: Any) -> Any:
        report = report_of(answer)
        reports.append(report is not None)
        were_late.append(feedback_of(answer).late_s > 0)
        return report

    monkeypatch.setattr("penguiray.actors.hearing.report_of", noted)
    with pr.Flow(pr.node(positive), options=pr.FlowOptions(streams=False)).start() as run:
        end = time.monotonic() + PATIENCE_S
        while sum(reports) < 10 and time.monotonic() < end:
            assert run.ask(-2) == 2
        assert sum(reports) >= 10
        assert all(were_late)
        assert sorted(run.map(range(-500, 0))) == list(range(1, 501))

"""Who may talk to a replica over a socket: only who knows its key, and nothing is unpickled before."""

from __future__ import annotations

import asyncio
import os
import pickle
import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from penguiray.actors import door as doors
from penguiray.actors.door import Answering, Door, knock
from penguiray.actors.stream import Stream, WordStream
from penguiray.link.words import MOST_BYTES, Word, pieces_of

SAFETY_S = 10.0


class Side:
    """A loop in a thread, and what comes to it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.streams: queue.SimpleQueue[tuple[Stream, int, bool]] = queue.SimpleQueue()
        self.words: queue.SimpleQueue[tuple[Word, bytes]] = queue.SimpleQueue()
        self.broken: queue.SimpleQueue[WordStream] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def take(self, _stream: WordStream, word: Word, payload: memoryview) -> None:
        self.words.put((word, bytes(payload)))

    def answering(self, door: Door) -> Answering:
        answering = Answering(
            door,
            self.loop,
            on_stream=lambda *come: self.streams.put(come),
            on_word=self.take,
            on_broken=self.broken.put,
        )
        answering.open()
        return answering

    def knock(self, door: Door) -> Stream | None:
        return knock(door, self.loop, sender=7, reads=True, on_word=self.take, on_broken=self.broken.put)

    def call(self, function: object, *arguments: object) -> None:
        """Call something on the loop, and wait until all is done that was due before."""
        done = threading.Event()
        self.loop.call_soon_threadsafe(function, *arguments)  # type: ignore[arg-type]
        self.loop.call_soon_threadsafe(lambda: self.loop.call_soon(done.set))
        assert done.wait(SAFETY_S)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(SAFETY_S)
        self.loop.close()


@pytest.fixture
def here() -> Iterator[Side]:
    side = Side()
    yield side
    side.close()


@pytest.fixture
def there(here: Side) -> Iterator[tuple[Side, Door]]:
    """The side of the replica, with its door open."""
    side, door = Side(), Door.make()
    answering = side.answering(door)
    yield side, door
    side.call(answering.close)
    side.close()
    assert here.loop.is_running()


def stranger(door: Door) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(SAFETY_S)
    connection.connect(f"\0{door.address}")
    return connection


def said(word: Word, *parts: bytes) -> bytes:
    return b"".join(pieces_of(word, *parts))


def test_words_go_both_ways_and_the_end_is_noticed(here: Side, there: tuple[Side, Door]) -> None:
    side, door = there
    stream = here.knock(door)
    assert stream is not None
    stream.send(Word.ASK, b"more")
    answer, sender, reads = side.streams.get(timeout=SAFETY_S)
    assert (sender, reads) == (7, True)
    assert side.words.get(timeout=SAFETY_S) == (Word.ASK, b"more")
    answer.send(Word.REPORT, b"news")
    assert here.words.get(timeout=SAFETY_S) == (Word.REPORT, b"news")
    stream.close()
    assert side.broken.get(timeout=SAFETY_S) is answer


def test_more_than_the_socket_takes_arrives_too_and_in_its_order(here: Side, there: tuple[Side, Door]) -> None:
    side, door = there
    stream = here.knock(door)
    assert stream is not None
    payloads = [bytes([number]) * (MOST_BYTES - number) for number in range(8)]
    for payload in payloads:
        stream.send(Word.FRAME, payload)
    assert [side.words.get(timeout=SAFETY_S) for _ in payloads] == [(Word.FRAME, payload) for payload in payloads]
    stream.close()


def test_who_does_not_know_the_key_is_sent_away_and_nothing_of_it_is_read(here: Side, there: tuple[Side, Door]) -> None:
    side, door = there
    wrong = replace(door, key=b"x" * 32)
    stream = here.knock(wrong)
    assert stream is not None
    stream.send(Word.FRAME, b"a frame")
    assert here.broken.get(timeout=SAFETY_S) is stream
    assert side.streams.empty()
    assert side.words.empty()


class Canary:
    sang = False

    def __reduce__(self) -> tuple[Any, ...]:
        return Canary.sing, ()

    @staticmethod
    def sing() -> None:
        Canary.sang = True


@pytest.mark.parametrize(
    "bytes_sent",
    [
        said(Word.FRAME, pickle.dumps(Canary())),
        said(Word.HELLO, pickle.dumps(Canary())),
        said(Word.HELLO, b""),
        said(Word.HELLO, b"x" * 100),
        pickle.dumps(Canary()),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["a frame", "a pickle", "nothing", "too much", "no word", "HTTP"],
)
def test_whatever_a_stranger_says_first_ends_its_stream(there: tuple[Side, Door], bytes_sent: bytes) -> None:
    side, door = there
    with stranger(door) as connection:
        connection.sendall(bytes_sent)
        assert connection.recv(100) == b""
    assert side.streams.empty()
    assert not Canary.sang


def test_a_stranger_that_announces_a_long_word_is_sent_away_before_it_has_come(
    there: tuple[Side, Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "_GREETING_S", 10 * SAFETY_S)
    with stranger(there[1]) as connection:
        connection.sendall(b"".join(pieces_of(Word.HELLO, b"x" * 1_000)))
        assert connection.recv(100) == b""


def test_a_stranger_that_says_nothing_is_sent_away(there: tuple[Side, Door], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "_GREETING_S", 0.05)
    with stranger(there[1]) as connection:
        assert connection.recv(100) == b""


def test_strangers_do_not_fill_a_replica(here: Side, there: tuple[Side, Door], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "_MOST_STRANGERS", 3)
    side, door = there
    waiting = [stranger(door) for _ in range(3)]
    with stranger(door) as one_more:
        assert one_more.recv(100) == b""
    for connection in waiting:
        connection.close()
    side.call(lambda: None)
    stream = here.knock(door)
    assert stream is not None
    assert side.streams.get(timeout=SAFETY_S)[1:] == (7, True)
    stream.close()


def test_another_users_process_gets_no_stream_on_either_side(
    here: Side, there: tuple[Side, Door], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "_GREETING_S", 10 * SAFETY_S)
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    side, door = there
    assert here.knock(door) is None
    with stranger(door) as connection:
        assert connection.recv(100) == b""
    assert side.streams.empty()


def test_who_answers_and_does_not_know_the_key_is_not_listened_to(here: Side) -> None:
    door = Door.make()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(f"\0{door.address}")
        listening.listen(1)
        stream = here.knock(door)
        connection, _ = listening.accept()
        with connection:
            connection.sendall(said(Word.WELCOME, b"x" * 32) + said(Word.REPORT, pickle.dumps(Canary())))
            assert here.broken.get(timeout=SAFETY_S) is stream
            assert here.words.empty()


def test_a_door_that_is_not_on_this_host_gives_no_stream(here: Side) -> None:
    assert here.knock(Door.make()) is None


def test_a_key_is_not_shown() -> None:
    door = Door.make()
    assert repr(door) == f"Door(address={door.address!r})"
    assert Door.make() != door

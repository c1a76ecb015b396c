"""One end of a stream between two processes of a host: words in, words out, over a Unix domain socket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from penguiray.link.words import BrokenWord, Word, Words, pieces_of

__all__ = ["Stream", "WordStream"]

_SOCKET_BYTES = 1 << 20
"""Bytes that wait in a socket at most, where Linux allows it: so a frame goes in one piece, and nobody has to wake up
for the rest of it."""
_MOST_PIECES = 1_000
"""Linux takes 1,024 pieces at once."""


class WordStream(Protocol):
    """What may be done with a stream, whatever it is made of; see `Stream`."""

    def send(self, word: Word, *parts: bytes) -> None:
        """Send a word."""
        ...

    def hold(self, word: Word, *parts: bytes) -> None:
        """Send a word together with the next one."""
        ...

    def send_held(self) -> None:
        """Send what is held still."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Stream:
    """Reads on a loop, and hands on each word there; sends from any thread, at once as long as the socket takes it.

    It breaks when the other side ends it or dies, when it brings what is no word, or when `close` is called. From then
    on nothing is sent or handed on any more.
    """

    def __init__(
        self,
        connection: socket.socket,
        loop: asyncio.AbstractEventLoop,
        *,
        most_bytes: int,
        on_word: Callable[[Stream, Word, memoryview], None],
        on_broken: Callable[[Stream], None],
    ) -> None:
        """Prepare; `open` begins to read.

        Args:
            connection: A connected socket, which belongs to the stream from here on.
            loop: Where it is read.
            most_bytes: Longest word that is taken for now; see `expect`.
            on_word: Called on the loop with each word, whose payload is gone when it returns; may raise `BrokenWord`.
            on_broken: Called on the loop, once, when the other side has ended it; not after `close`.
        """
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        self._socket = connection
        self._loop = loop
        self._words = Words(most_bytes)
        self.on_word = on_word
        """Called with the next word; see above."""
        self._on_broken = on_broken
        self._sending = threading.Lock()
        self._held: list[bytes] = []
        self._unsent: deque[bytes | memoryview] = deque()
        self.is_broken = False
        """Whether it is of no use any more."""

    def open(self) -> None:
        """Begin to read; from any thread."""
        self._on_loop(self._begin)

    def _begin(self) -> None:
        if not self.is_broken:
            self._loop.add_reader(self._socket, self._read)

    def expect(self, most_bytes: int) -> None:
        """Say how long a word may be from here on."""
        self._words.most_bytes = most_bytes

    def send(self, word: Word, *parts: bytes) -> None:
        """Send a word, whose payload is these parts; lost if the stream is broken, as it may be without notice."""
        self._send(pieces_of(word, *parts))

    def hold(self, word: Word, *parts: bytes) -> None:
        """Send a word together with the next one, or with `send_held` if none comes before that."""
        with self._sending:
            self._held += pieces_of(word, *parts)

    def send_held(self) -> None:
        """Send what is held still."""
        if self._held:
            self._send([])

    def _send(self, pieces: list[bytes]) -> None:
        with self._sending:
            if self.is_broken:
                return
            is_behind = bool(self._unsent)
            if self._held:
                self._unsent += self._held
                self._held.clear()
            self._unsent += pieces
            if is_behind or not self._unsent or self._send_some():
                return
        self._on_loop(self._wait_for_room)

    def _send_some(self) -> bool:
        """Send what the socket takes; whether nothing is left, or ever will be."""
        try:
            sent = self._socket.sendmsg(itertools.islice(self._unsent, _MOST_PIECES))
        except BlockingIOError:
            return False
        except OSError:
            self._unsent.clear()
            self._on_loop(self._break)
            return True
        while self._unsent and sent >= len(self._unsent[0]):
            sent -= len(self._unsent.popleft())
        if sent:
            self._unsent[0] = memoryview(self._unsent[0])[sent:]
        return not self._unsent

    def _wait_for_room(self) -> None:
        if not self.is_broken:
            self._loop.add_writer(self._socket, self._send_rest)

    def _send_rest(self) -> None:
        with self._sending:
            if self._send_some():
                self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        try:
            size = self._socket.recv_into(self._words.room())
        except BlockingIOError:
            return
        except OSError:
            size = 0
        try:
            for word, payload in self._words.take(size):
                self.on_word(self, word, payload)
                if self.is_broken:
                    return
        except BrokenWord:
            size = 0
        if not size:
            self._break()

    def _break(self) -> None:
        if not self.is_broken:
            self._end()
            self._on_broken(self)

    def close(self) -> None:
        """End it; from any thread. What the socket has taken still arrives."""
        self._on_loop(self._end)

    def _end(self) -> None:
        with self._sending:
            if self.is_broken:
                return
            self.is_broken = True
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()

    def _on_loop(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and all that it read with it
            self._loop.call_soon_threadsafe(function)

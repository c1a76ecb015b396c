"""Where other processes of the host find a replica: an address that only they are told, and a key to prove it.

    who knocks                                    who answers
      | -- connect, is it one of this user? ------> |
      |                    is it one of this user? -|
      | -- HELLO(proof, who) ---------------------> |   from here on words are read
      | <------------------------ WELCOME(proof) -- |   here too

The address is an abstract name: it goes when the process does, however it ends, and nothing is left in a file system.
Any process of the host may connect to it, so both sides ask the kernel whose process the other one is, and then for a
proof of the key. Nothing is unpickled before. Each replica has an address and a key of its own.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import hmac
import os
import secrets
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from penguiray.actors.stream import Stream, WordStream
from penguiray.link.words import MOST_BYTES, BrokenWord, Word

__all__ = ["Answering", "Door", "knock"]

_GREETING_BYTES = 64
"""Longest word of somebody who has not proved anything."""
_GREETING_S = 5.0
"""How long somebody may take to prove it."""
_BACKLOG = 128
"""How many may wait to be let in, before others are sent away."""
_MOST_STRANGERS = 32
"""How many may be at it at the same time."""
_WHO = struct.Struct("!Q?")
_CREDENTIALS = struct.Struct("iII")  # struct ucred: process, user, group


@dataclass(frozen=True, slots=True)
class Door:
    """The address of a replica, and its key."""

    address: str
    """Abstract name of its socket."""
    key: bytes = field(repr=False)
    """What both sides know."""

    @classmethod
    def make(cls) -> Door:
        """One that nobody else can know."""
        return cls(f"penguiray-{secrets.token_hex(16)}", secrets.token_bytes(32))

    def proof(self, word: Word, who: bytes | memoryview = b"") -> bytes:
        """What shows that whoever says a word knows the key."""
        return hmac.digest(self.key, bytes([word]) + self.address.encode() + who, hashlib.sha256)


OnWord = Callable[[WordStream, Word, memoryview], None]
OnBroken = Callable[[WordStream], None]


def knock(
    door: Door, loop: asyncio.AbstractEventLoop, *, sender: int, reads: bool, on_word: OnWord, on_broken: OnBroken
) -> Stream | None:
    """A stream to the replica behind a door; None if it is not on this host, or not this user's.

    Words may be sent at once. What comes is handed on when the other side has proved itself.

    Args:
        door: Where.
        loop: Where the stream is read.
        sender: Number that the other side knows this one by.
        reads: Whether this side is the one that reads the replica's reports.
        on_word: See `Stream`.
        on_broken: See `Stream`.
    """
    connection = _connected(door.address)
    if connection is None:
        return None

    def first(stream: Stream, word: Word, payload: memoryview) -> None:
        if word is not Word.WELCOME or not hmac.compare_digest(payload, door.proof(Word.WELCOME)):
            raise BrokenWord("the other side has not proved itself")
        stream.expect(MOST_BYTES)
        stream.on_word = on_word

    stream = Stream(connection, loop, most_bytes=_GREETING_BYTES, on_word=first, on_broken=on_broken)
    who = _WHO.pack(sender, reads)
    stream.send(Word.HELLO, door.proof(Word.HELLO, who), who)
    stream.open()
    return stream


def _connected(address: str) -> socket.socket | None:
    """A connection to a process of this user; None if there is none, or none at once: it may stand still."""
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError:
        return None
    connection.setblocking(False)
    try:
        connection.connect(f"\0{address}")
        is_ours = _user_of(connection) == os.getuid()
    except OSError:  # nobody is there, or too many wait
        is_ours = False
    if is_ours:
        return connection
    connection.close()
    return None


class Answering:
    """The side of the replica: takes connections on its loop, and gives those that have proved themselves."""

    def __init__(
        self,
        door: Door,
        loop: asyncio.AbstractEventLoop,
        *,
        on_stream: Callable[[Stream, int, bool], None],
        on_word: OnWord,
        on_broken: OnBroken,
    ) -> None:
        """Prepare; `open` begins.

        Args:
            door: Where.
            loop: Where all that is given here is called.
            on_stream: Called with each stream that is proved, the number of its sender, and whether it reads reports.
            on_word: Called with its words after that.
            on_broken: Called when it has ended, if it was given before.
        """
        self._door = door
        self._loop = loop
        self._on_stream = on_stream
        self._on_word = on_word
        self._on_broken = on_broken
        self._strangers: set[Stream] = set()
        self._guests: set[Stream] = set()
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Take connections from here on; without an address that is free, none will come."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(f"\0{self._door.address}")
        except OSError:
            listening.close()
            return
        listening.listen(_BACKLOG)
        listening.setblocking(False)
        self._socket = listening
        self._loop.call_soon_threadsafe(self._loop.add_reader, listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._stop_listening()  # all who would come go by calls
            return  # else who knocked has gone
        if _user_of(connection) != os.getuid() or len(self._strangers) >= _MOST_STRANGERS:
            connection.close()
            return
        stream = Stream(connection, self._loop, most_bytes=_GREETING_BYTES, on_word=self._greet, on_broken=self._forget)
        self._strangers.add(stream)
        self._loop.call_later(_GREETING_S, self._send_away, stream)
        stream.open()

    def _greet(self, stream: Stream, word: Word, payload: memoryview) -> None:
        proof, who = payload[: -_WHO.size], payload[-_WHO.size :]
        if word is not Word.HELLO or not hmac.compare_digest(proof, self._door.proof(Word.HELLO, who)):
            raise BrokenWord("the other side has not proved itself")
        self._strangers.discard(stream)
        self._guests.add(stream)
        stream.expect(MOST_BYTES)
        stream.on_word = self._on_word
        stream.send(Word.WELCOME, self._door.proof(Word.WELCOME))
        sender, reads = _WHO.unpack(who)
        self._on_stream(stream, sender, reads)

    def _send_away(self, stream: Stream) -> None:
        if stream in self._strangers:
            self._strangers.discard(stream)
            stream.close()

    def _forget(self, stream: Stream) -> None:
        self._strangers.discard(stream)
        if stream in self._guests:
            self._guests.discard(stream)
            self._on_broken(stream)

    def _stop_listening(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Take no more connections, and end those that there are; on the loop."""
        self._stop_listening()
        for stream in (*self._strangers, *self._guests):
            stream.close()


def _user_of(connection: socket.socket) -> int:
    """The user whose process the other side is, as the kernel says."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    return int(user)

"""What goes over a stream of bytes between two processes: words with a kind, a length and a checksum. Pure.

    | length of the payload, 4 bytes | kind, 1 byte | CRC-32 of kind and payload, 4 bytes | payload |

A stream that brings anything else is of no use any more: nobody can tell where its next word begins.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterator

__all__ = ["MOST_BODY_BYTES", "MOST_BYTES", "BrokenWord", "Word", "Words", "joined", "parted", "pieces_of"]

MOST_BYTES = 1 << 20
"""Longest payload of a word. What is longer goes another way, where it does not hold up the words behind it."""

MOST_BODY_BYTES = MOST_BYTES - 64
"""What of it a frame or a report may take; the rest is for what goes along with that."""

_HEAD = struct.Struct("!IBI")
_LENGTH = struct.Struct("!I")
_SHORT_BYTES = 1 << 14
"""Payloads of up to so many bytes are copied behind their heads: to copy longer ones takes more than another piece."""
_LEAST_ROOM = 1 << 16
"""Bytes that can be received at once, at least."""


class Word(enum.IntEnum):
    """What a word says. Those of the side that asked for the stream first, then those of the side that was asked."""

    HELLO = 1
    """Proof that the sender may speak here, and who it is. Before it nothing else is taken."""
    FRAME = 2
    """A frame of messages."""
    ASK = 3
    """All reports up to a number have arrived, and the next one is welcome."""
    WELCOME = 4
    """Proof that the asked side is the right one. Before it nothing else is taken."""
    FEEDBACK = 5
    """A frame was taken off the inbox."""
    REPORT = 6
    """News of what was finished."""


_WORDS = {word.value: word for word in Word}
_SEEDS = {word: zlib.crc32(bytes([word])) for word in Word}
"""Checksums of the kinds, with which those of their payloads begin."""


class BrokenWord(Exception):
    """Bytes that are no word, or a longer one than may be."""


def pieces_of(word: Word, *parts: bytes) -> list[bytes]:
    """A word, to be sent in these pieces: a short one in one, since to copy it is cheaper than to send several."""
    length = sum(map(len, parts))
    if length <= _SHORT_BYTES:
        payload = b"".join(parts)
        return [_HEAD.pack(length, word, zlib.crc32(payload, _SEEDS[word])) + payload]
    checksum = _SEEDS[word]
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return [_HEAD.pack(length, word, checksum), *parts]


def joined(*parts: bytes) -> list[bytes]:
    """Parts of one payload that `parted` can tell apart: all but the last with their lengths before them."""
    pieces: list[bytes] = []
    for part in parts[:-1]:
        pieces += (_LENGTH.pack(len(part)), part)
    return [*pieces, parts[-1]]


def parted(payload: memoryview, count: int, *, at: int = 0) -> list[memoryview]:
    """The parts of a payload, from a place in it on.

    Raises:
        BrokenWord: There are not so many.
    """
    parts: list[memoryview] = []
    for _ in range(count - 1):
        if at + _LENGTH.size > len(payload):
            raise BrokenWord("a payload ends before its parts do")
        (length,) = _LENGTH.unpack_from(payload, at)
        at += _LENGTH.size
        if at + length > len(payload):
            raise BrokenWord("a payload ends before its parts do")
        parts.append(payload[at : at + length])
        at += length
    return [*parts, payload[at:]]


class Words:
    """Cuts the bytes that arrive on a stream into words, where they were received: whole words are not copied.

    The owner receives into `room()` and says how much has come with `take`. The place is as large as the longest word
    that has come; it is used again for what comes next.
    """

    __slots__ = ("_held", "_start", "_stop", "_wanted", "most_bytes")

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Nothing has come yet; `most_bytes` is the longest payload that is taken."""
        self._held = bytearray(_LEAST_ROOM)
        self._start = self._stop = 0
        self._wanted = 0
        self.most_bytes = most_bytes
        """See above; may be changed between two words."""

    def room(self) -> memoryview:
        """Where to receive what comes next; it is never empty."""
        start, stop = self._start, self._stop
        if start == stop:
            self._start = self._stop = 0
        elif start + max(self._wanted, _LEAST_ROOM) > len(self._held):
            rest = memoryview(self._held)[start:stop]
            if self._wanted > len(self._held):
                self._held = bytearray(self._wanted)
            self._held[: stop - start] = rest
            self._start, self._stop = 0, stop - start
        return memoryview(self._held)[self._stop :]

    def take(self, size: int) -> Iterator[tuple[Word, memoryview]]:
        """So many bytes were received: give the words that are whole now.

        A payload lies in the place where it was received: it is gone when the next word is asked for.

        Raises:
            BrokenWord: The stream is of no use any more.
        """
        self._stop += size
        held = memoryview(self._held)
        while self._stop - self._start >= _HEAD.size:
            length, kind, checksum = _HEAD.unpack_from(held, self._start)
            if length > self.most_bytes:
                raise BrokenWord(f"a word of {length:,} bytes, where {self.most_bytes:,} is the most")
            start, stop = self._start + _HEAD.size, self._start + _HEAD.size + length
            if self._stop < stop:
                self._wanted = _HEAD.size + length
                return
            self._start = stop
            yield _checked(kind, held[start:stop].toreadonly(), checksum)
        self._wanted = _HEAD.size


def _checked(kind: int, payload: memoryview, checksum: int) -> tuple[Word, memoryview]:
    word = _WORDS.get(kind)
    if word is None:
        raise BrokenWord(f"a word of an unknown kind, {kind}")
    if zlib.crc32(payload, _SEEDS[word]) != checksum:
        raise BrokenWord("a word whose checksum does not fit")
    return word, payload

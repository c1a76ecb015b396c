"""What goes over a stream of bytes between two processes: words with a kind, a length and a checksum. Pure.

    | length of the payload, 4 bytes | kind, 1 byte | CRC-32 of kind and payload, 4 bytes | payload |

A stream that brings anything else is of no use any more: nobody can tell where its next word begins.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Iterator

__all__ = ["MOST_BODY_BYTES", "MOST_BYTES", "BrokenWord", "Word", "Words", "head_of", "joined", "parted"]

MOST_BYTES = 1 << 20
"""Longest payload of a word. What is longer goes another way, where it does not hold up the words behind it."""

MOST_BODY_BYTES = MOST_BYTES - 64
"""What of it a frame or a report may take; the rest is for what goes along with that."""

_HEAD = struct.Struct("!IBI")
_LENGTH = struct.Struct("!I")


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


class BrokenWord(Exception):
    """Bytes that are no word, or a longer one than may be."""


def head_of(word: Word, *parts: bytes) -> bytes:
    """What goes before the parts of a payload."""
    length, checksum = 0, zlib.crc32(bytes([word]))
    for part in parts:
        length += len(part)
        checksum = zlib.crc32(part, checksum)
    return _HEAD.pack(length, word, checksum)


def joined(*parts: bytes) -> list[bytes]:
    """Parts of one payload that `parted` can tell apart: all but the last with their lengths before them."""
    pieces: list[bytes] = []
    for part in parts[:-1]:
        pieces += (_LENGTH.pack(len(part)), part)
    return [*pieces, parts[-1]]


def parted(payload: bytes, count: int, *, at: int = 0) -> list[bytes]:
    """The parts of a payload, from a place in it on.

    Raises:
        BrokenWord: There are not so many.
    """
    parts: list[bytes] = []
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
    """Cuts the bytes that arrive on a stream into words."""

    __slots__ = ("_bytes", "most_bytes")

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Nothing has come yet; `most_bytes` is the longest payload that is taken."""
        self._bytes = bytearray()
        self.most_bytes = most_bytes
        """See above; may be changed between two words."""

    def feed(self, chunk: bytes | memoryview) -> Iterator[tuple[Word, bytes]]:
        """Take bytes in, and give the words that are whole now.

        Raises:
            BrokenWord: The stream is of no use any more.
        """
        held = self._bytes
        held += chunk
        at = 0
        try:
            while len(held) - at >= _HEAD.size:
                length, kind, checksum = _HEAD.unpack_from(held, at)
                if length > self.most_bytes:
                    raise BrokenWord(f"a word of {length:,} bytes, where {self.most_bytes:,} is the most")
                start, stop = at + _HEAD.size, at + _HEAD.size + length
                if len(held) < stop:
                    return
                payload = bytes(memoryview(held)[start:stop])
                at = stop
                yield _checked(kind, payload, checksum)
        finally:
            del held[:at]


def _checked(kind: int, payload: bytes, checksum: int) -> tuple[Word, bytes]:
    if zlib.crc32(payload, zlib.crc32(bytes([kind]))) != checksum:
        raise BrokenWord("a word whose checksum does not fit")
    try:
        return Word(kind), payload
    except ValueError:
        raise BrokenWord(f"a word of an unknown kind, {kind}") from None

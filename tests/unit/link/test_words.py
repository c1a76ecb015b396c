"""Words on a stream of bytes: however the bytes are cut, and whatever else comes."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penguiray.link.words import BrokenWord, Word, Words, joined, parted, pieces_of


def sent(word: Word, *parts: bytes) -> bytes:
    return b"".join(pieces_of(word, *parts))


def fed(words: Words, data: bytes) -> Iterator[tuple[Word, bytes]]:
    """Words of what is received, as much at a time as there is room for."""
    while data:
        room = words.room()
        size = min(len(room), len(data))
        room[:size] = data[:size]
        for word, payload in words.take(size):
            yield word, bytes(payload)
        data = data[size:]


@given(
    st.lists(st.tuples(st.sampled_from(Word), st.lists(st.binary(max_size=60), max_size=3)), max_size=8),
    st.lists(st.integers(0, 2_000), max_size=12),
)
def test_words_arrive_whole_however_the_bytes_are_cut(said: list[tuple[Word, list[bytes]]], cuts: list[int]) -> None:
    data = b"".join(sent(word, *parts) for word, parts in said)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    words = Words()
    came = [one for start, stop in pairwise(places) for one in fed(words, data[start:stop])]
    assert came == [(word, b"".join(parts)) for word, parts in said]


@pytest.mark.parametrize("seed", range(5))
def test_words_that_are_larger_than_the_place_arrive_whole_among_small_ones(seed: int) -> None:
    rng = random.Random(seed)
    payloads = [rng.randbytes(rng.choice([0, 10, 60_000, 70_000, 500_000])) for _ in range(40)]
    data, words = b"".join(sent(Word.FRAME, payload) for payload in payloads), Words()
    places = sorted({0, len(data), *(rng.randrange(len(data)) for _ in range(60))})
    came = [one for start, stop in pairwise(places) for one in fed(words, data[start:stop])]
    assert came == [(Word.FRAME, payload) for payload in payloads]


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_parts_of_a_payload_come_apart_again(parts: list[bytes]) -> None:
    payload = memoryview(b"abc" + b"".join(joined(*parts)))
    assert [bytes(part) for part in parted(payload, len(parts), at=3)] == parts


@pytest.mark.parametrize("payload", [b"", b"\0\0", b"\0\0\0\5abc"])
def test_a_payload_that_ends_before_its_parts_is_refused(payload: bytes) -> None:
    with pytest.raises(BrokenWord, match="ends before"):
        parted(memoryview(payload), 2)


def test_a_longer_word_than_may_be_is_refused_before_it_has_come() -> None:
    words = Words(most_bytes=100)
    assert list(fed(words, sent(Word.ASK, b"x" * 100))) == [(Word.ASK, b"x" * 100)]
    with pytest.raises(BrokenWord, match="101 bytes, where 100 is the most"):
        list(fed(words, sent(Word.ASK, b"x" * 101)[:9]))


def test_a_changed_byte_is_noticed_wherever_it_is() -> None:
    data = bytearray(sent(Word.FRAME, b"payload"))
    for place in range(4, len(data)):  # before that it is another length, of a word that may still come
        changed = bytes(data[:place]) + bytes([data[place] ^ 1]) + bytes(data[place + 1 :])
        with pytest.raises(BrokenWord, match="checksum"):
            list(fed(Words(), changed))


def test_a_word_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BrokenWord, match="unknown kind, 77"):
        list(fed(Words(), (1).to_bytes(4, "big") + b"\x4d" + zlib.crc32(b"\x4dx").to_bytes(4, "big") + b"x"))


def test_the_words_before_a_broken_one_are_given() -> None:
    words = fed(Words(most_bytes=10), sent(Word.ASK, b"one") + sent(Word.ASK, b"x" * 11))
    assert next(words) == (Word.ASK, b"one")
    with pytest.raises(BrokenWord):
        next(words)

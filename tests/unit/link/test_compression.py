"""Frames are compressed where they get to another host sooner that way."""

from __future__ import annotations

import json
import pickle
import random
import time
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest

from penguiray.link.compression import Codec, Compression, Trial
from penguiray.link.squeezed import squeezed, trials_of, whole
from penguiray.link.wire import Packed

TEXT: dict[Codec, Trial] = {"lz4": Trial(3.7, 474e6, 839e6), "zstd": Trial(6.5, 418e6, 1_668e6)}
"""JSON, on one core."""
NOISE: dict[Codec, Trial] = {"lz4": Trial(1.0, 2_000e6, 4_000e6), "zstd": Trial(1.05, 600e6, 1_500e6)}
"""Numbers without a pattern."""
FRAME = 650_000


def after(way_bytes_per_s: float, trials: dict[Codec, Trial], frames: int = 300) -> Compression:
    """What is known after frames that were sent one behind the other, two at a time."""
    way, now = Compression("auto"), 100.0
    sent = [now, now]
    for _ in range(frames):
        if way.wants_trial():
            way.take_trials(trials)
        nbytes = FRAME if way.codec is None else FRAME / trials[way.codec].ratio
        now += nbytes / way_bytes_per_s
        way.note_arrived(int(nbytes), sent.pop(0), now)
        sent.append(now)
    return way


@pytest.mark.parametrize("megabits", [10, 100, 1_000])
def test_text_is_compressed_up_to_a_gigabit_a_second(megabits: int) -> None:
    assert after(megabits * 1e6 / 8, TEXT).codec == "zstd"


@pytest.mark.parametrize("megabits", [10_000, 40_000])
def test_text_is_left_as_it_is_where_the_way_is_quicker(megabits: int) -> None:
    assert after(megabits * 1e6 / 8, TEXT).codec is None


@pytest.mark.parametrize("megabits", [10, 100, 1_000, 10_000])
def test_numbers_without_a_pattern_are_never_compressed(megabits: int) -> None:
    assert after(megabits * 1e6 / 8, NOISE).codec is None


def test_nothing_is_tried_before_the_speed_of_the_way_is_known() -> None:
    way = Compression("auto")
    assert not any(way.wants_trial() for _ in range(1_000))
    assert after(1e7, TEXT, frames=4).codec is None


def test_one_frame_in_64_is_tried() -> None:
    way = after(1e8, TEXT, frames=10)
    assert 15 <= sum(way.wants_trial() for _ in range(1_000)) <= 16


@pytest.mark.parametrize("wish", ["lz4", None])
def test_what_was_asked_for_is_done_and_nothing_is_tried(wish: Literal["lz4"] | None) -> None:
    way = Compression(wish)
    for frame in range(100):
        assert way.codec == wish
        assert not way.wants_trial()
        way.note_arrived(FRAME, frame, frame + 0.1)


def test_frames_that_queue_on_their_way_do_not_make_it_look_slow() -> None:
    way = Compression("auto")
    for frame in range(1, 101):  # all sent at once: the last is a hundred times as long under way
        way.note_arrived(FRAME, 0.0, frame * FRAME / 1e8)
    assert way.way_bytes_per_s == pytest.approx(1e8)


def test_nothing_is_tried_where_the_way_is_quicker_than_any_codec() -> None:
    way = after(1e9, TEXT, frames=10)
    assert not any(way.wants_trial() for _ in range(1_000))


def test_it_ends_when_the_way_has_become_quick() -> None:
    way = after(1e7, TEXT)
    assert way.codec == "zstd"
    now = 1e6
    for _ in range(200):
        if way.wants_trial():
            way.take_trials(TEXT)
        now += FRAME / 1.2e9
        way.note_arrived(FRAME, now - FRAME / 1.2e9, now)
    assert way.codec is None


def packed(data: bytes, *arrays: npt.NDArray[Any]) -> Packed:
    return pickle.dumps(("a header", len(data)), 5), data, [array.data.cast("B") for array in arrays]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_frame_is_whole_again_with_read_only_buffers(codec: Codec) -> None:
    noise = random.Random(1).randbytes(100_000)
    arrays: list[npt.NDArray[Any]] = [np.arange(50_000), np.zeros(3), np.frombuffer(noise, dtype=np.uint8)]
    for data in (b"", b"x" * 300_000, noise):
        before = packed(data, *arrays)
        header, text, buffers = whole(*squeezed(before, codec))
        assert (header, bytes(text)) == before[:2]
        for buffer, array in zip(buffers, arrays, strict=True):
            again = np.frombuffer(buffer, dtype=array.dtype)
            assert np.array_equal(again, array)
            assert not again.flags.writeable


def test_a_frame_that_was_not_compressed_is_left_alone() -> None:
    before = packed(b"text", np.arange(3))
    assert whole(*before) == before


def test_a_trial_looks_at_the_beginning_of_the_largest_part() -> None:
    text = json.dumps([{"id": number, "text": f"message {number}"} for number in range(10_000)]).encode()
    noise = np.frombuffer(random.Random(1).randbytes(1_000), dtype=np.uint8)
    trials = trials_of(packed(text, noise), time.perf_counter)
    assert all(trial.ratio > 2 for trial in trials.values())
    trials = trials_of(packed(b"short", noise), time.perf_counter)
    assert all(trial.ratio < 1.1 for trial in trials.values())

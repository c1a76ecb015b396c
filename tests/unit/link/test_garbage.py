"""The garbage collector while values are decoded."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from penguiray.link.codec import decode, encode
from penguiray.link.garbage import uncollected


class Note(BaseModel):
    words: list[str]


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_garbage_is_collected_once_a_large_body_is_decoded_and_not_meanwhile() -> None:
    body = encode([Note(words=[str(number)]) for number in range(20_000)], inline_limit=1_024)
    collections = list[int]()

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            collections.append(info["generation"])

    gc.collect()
    gc.callbacks.append(note)
    try:
        notes = decode(body.data)
    finally:
        gc.callbacks.remove(note)
    assert len(notes) == 20_000
    assert len(collections) <= 1  # of 60,000 objects, when the collector is on again


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    body = encode([list(range(10)) for _ in range(1_000)], inline_limit=1_024)
    assert len(decode(body.data)) == 1_000
    assert not gc.isenabled()


class Breaks:
    """Cannot be made again."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("x" * 10_000,)


def test_a_body_that_cannot_be_decoded_leaves_the_collector_on() -> None:
    body = encode([Breaks()], inline_limit=1_024)
    with pytest.raises(ValueError, match="invalid literal"):
        decode(body.data)
    assert gc.isenabled()


def test_the_collector_is_on_again_when_the_last_thread_is_done() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with uncollected:
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    with uncollected:
        pass
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()

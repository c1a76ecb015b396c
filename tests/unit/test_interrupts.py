"""Ctrl-C at any moment: what must not be left half done is done, and nothing stays locked."""

from __future__ import annotations

import gc
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from penguiray.ingress.engine import ThreadSignal
from penguiray.interrupts import Uninterrupted

TIMES = 150
"""Interrupts at chance moments. With `threading.Event` in `ThreadSignal` a quarter of them leave a lock held."""


@pytest.fixture(autouse=True)
def without_collections() -> Iterator[None]:
    """Whoever is told of collections of garbage, as Hypothesis is, swallows an interrupt that comes just then."""
    gc.disable()
    yield
    gc.enable()


def interrupted(work: Callable[[], None], after_s: float) -> None:
    """Do something over and over in the main thread until Ctrl-C ends it."""
    thread = threading.main_thread().ident
    assert thread is not None
    killer = threading.Timer(after_s, lambda: signal.pthread_kill(thread, signal.SIGINT))

    def begin() -> None:
        with Uninterrupted():  # or the thread's own start is what is broken
            killer.start()
        while True:
            work()

    with pytest.raises(KeyboardInterrupt):
        begin()
    killer.join()


def is_free(lock: Uninterrupted) -> bool:
    """Whether another thread can take it."""
    taken = threading.Event()

    def take() -> None:
        with lock:
            taken.set()

    threading.Thread(target=take, daemon=True).start()
    return taken.wait(10)


def test_an_interrupt_inside_the_block_raises_when_it_has_ended() -> None:
    lock, done = Uninterrupted(), []

    def work() -> None:
        with lock:
            with lock:
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inner", "outer"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert is_free(lock)


def test_an_error_inside_the_block_leaves_it_as_it_is() -> None:
    lock = Uninterrupted()
    with pytest.raises(KeyError), lock:
        raise KeyError
    assert is_free(lock)


def test_a_handler_of_the_users_is_called_once_and_stays() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        for _ in range(2):
            with Uninterrupted():
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
        with Uninterrupted():
            pass
        assert came == [signal.SIGINT, signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_no_interrupt_leaves_the_lock_held_or_its_work_half_done() -> None:
    lock, chance, left = Uninterrupted(), random.Random(1), [0, 0]

    def move() -> None:
        with lock:
            left[0] += 1
            left[1] += 1

    for _ in range(TIMES):
        interrupted(move, chance.random() * 0.003)
        assert left[0] == left[1]
    assert is_free(lock)


def test_no_interrupt_keeps_a_signal_from_being_set_again() -> None:
    chance = random.Random(1)
    for _ in range(TIMES):
        news = ThreadSignal()

        def hear(news: ThreadSignal = news) -> None:
            news.set()
            news.wait(None)

        interrupted(hear, chance.random() * 0.003)
        setting = threading.Thread(target=news.set, daemon=True)
        setting.start()
        setting.join(10)
        assert not setting.is_alive()


def test_a_latched_signal_wakes_all_who_wait_and_stays_set() -> None:
    news, woken = ThreadSignal(latched=True), []
    threads = [threading.Thread(target=lambda: woken.append(news.wait(10))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert not news.is_set
    news.set()
    for thread in threads:
        thread.join(10)
    assert woken == [True] * 3
    assert news.wait(0.0)


def test_news_are_heard_once_and_a_wait_without_any_ends() -> None:
    news = ThreadSignal()
    news.set()
    news.set()
    assert news.wait(0.0)
    began = time.monotonic()
    assert not news.wait(0.01)
    assert time.monotonic() - began >= 0.01

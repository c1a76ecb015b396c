"""Which part of a node keeps it from being pickled."""

from __future__ import annotations

import functools
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import penguiray as pr
from penguiray.actors.ship import Parcels
from penguiray.link.classes import by_value
from penguiray.link.obstacle import Obstacle, find_obstacle, try_to_pickle

lock = threading.Lock()


class Client:
    """Holds a lock, as most clients of a server do."""

    def __init__(self) -> None:
        self.name = "client"
        self.lock = threading.Lock()

    def get(self, x: int) -> int:
        return x


class Slotted:
    __slots__ = ("inner",)

    def __init__(self, inner: object) -> None:
        self.inner = inner


class Refuses:
    def __reduce__(self) -> tuple[Any, ...]:
        raise ValueError("never")


class Wraps:
    """Has a pickling of its own."""

    def __init__(self, inner: object) -> None:
        self.inner = inner

    def __reduce__(self) -> tuple[Any, ...]:
        return Wraps, (self.inner,)


class Parent:
    """Refers to itself by way of its children."""

    def __init__(self) -> None:
        self.children = [Slotted(self)]
        self.event = threading.Event()


class HasLock:
    lock = threading.Lock()


client = Client()


def helper(x: int) -> int:
    return client.get(x)


def by_closure() -> Callable[[int], int]:
    mine = Client()
    return lambda x: mine.get(x)


def by_nested_function() -> Callable[[int], Any]:
    def outer(x: int) -> Callable[[], int]:
        def inner() -> int:
            return helper(x)

        return inner

    return outer


def by_default(x: int, *, using: object = lock) -> int:
    return x


def generated() -> Iterator[int]:
    yield 1


THE_LOCK = "_thread.lock"


@pytest.mark.parametrize(
    ("value", "path", "type_name"),
    [
        (lock, "", THE_LOCK),
        (by_closure(), "closure variable 'mine' -> .lock", THE_LOCK),
        (helper, "global 'client' -> .lock", THE_LOCK),
        (by_nested_function(), "global 'helper' -> global 'client' -> .lock", THE_LOCK),
        (by_default, "default of 'using'", THE_LOCK),
        (functools.partial(print, 1, end=client), "argument 'end' -> .lock", THE_LOCK),
        (client.get, "bound object -> .lock", THE_LOCK),
        ({"a": [1, (client,)]}, "['a'] -> [1] -> [0] -> .lock", THE_LOCK),
        (Slotted(Slotted(lock)), ".inner -> .inner", THE_LOCK),
        (Wraps(client), ".inner -> .lock", THE_LOCK),
        (Parent(), ".event -> ._cond -> ._lock", THE_LOCK),
        (HasLock(), "class 'HasLock' -> class attribute 'lock'", THE_LOCK),
        (generated(), "", "generator"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_path_leads_to_the_part_that_cannot_be_pickled(value: object, path: str, type_name: str) -> None:
    with by_value():
        error = try_to_pickle(value)
        assert error is not None
        assert find_obstacle(value, error) == Obstacle(path, type_name, "")


def test_what_a_part_itself_says_against_being_pickled_is_told() -> None:
    error = try_to_pickle([Refuses()])
    assert error is not None
    found = find_obstacle([Refuses()], error)
    assert str(found) == "its [0] is a test_obstacle.Refuses, which cannot be pickled (ValueError: never)"


def test_a_value_whose_parts_can_all_be_pickled_is_to_blame_itself() -> None:
    found = find_obstacle([1, "two"], pickle.PicklingError("too much"))
    assert str(found) == "it is a list, which cannot be pickled (PicklingError: too much)"


def test_a_node_that_changed_after_its_flow_was_built_is_named_when_the_flow_starts() -> None:
    held: list[object] = []

    @pr.node
    def changes(x: int) -> int:
        return len(held)

    flow = pr.Flow(changes)
    held.append(lock)
    with pytest.raises(pr.FlowError, match=r"'changes' \(test_obstacle:\d+\).* its closure variable 'held' -> \[0\]"):
        Parcels(64 * 1024).pack(flow.plan())

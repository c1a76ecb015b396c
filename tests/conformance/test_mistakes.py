"""What a mistake gets: an error that says what happened, where, and what to do, on either engine."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import penguiray as pr


class Client:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def get(self, x: int) -> int:
        return x


class Asks:
    """A node class that is given what it should make itself."""

    def __init__(self, client: object) -> None:
        self.client = client

    def __call__(self, x: int) -> int:
        return x


class Called:
    """An object that is called like a function."""

    __name__ = "Called"

    def __init__(self, opened: object) -> None:
        self.sockets = {"a": opened}

    def __call__(self, x: int) -> int:
        return x


client = Client()


@pr.node
def uses_global(x: int) -> int:
    return client.get(x)


def by_closure(mine: Any) -> pr.Node[int, int]:
    @pr.node
    def fetch(x: int) -> int:
        assert mine
        return x

    return fetch


Make = Callable[[ExitStack], pr.Node[int, int]]
LOCK = r"is a _thread\.lock, which cannot be pickled"
UNSENDABLE: list[tuple[Make, str]] = [
    (
        lambda _: by_closure(client),
        rf"node 'fetch' \(.*test_mistakes:\d+\) .*its closure variable 'mine' -> \.lock {LOCK}",
    ),
    (lambda _: uses_global, rf"node 'uses_global' .* its global 'client' -> \.lock {LOCK}"),
    (lambda _: pr.actor(Asks)(client), rf"node 'Asks' .* its constructor argument 0 -> \.lock {LOCK}"),
    (lambda _: pr.actor(Asks)(client=[client]), rf"its constructor argument 'client' -> \[0\] -> \.lock {LOCK}"),
    (
        lambda stack: pr.node(Called(stack.enter_context(socket.socket()))),
        r"its attribute \.sockets -> \['a'\] is a socket\.socket, which cannot be pickled",
    ),
    (
        lambda stack: by_closure(stack.enter_context(Path(os.devnull).open("w"))),  # noqa: SIM115 - the stack closes it
        r"its closure variable 'mine' is an _io\.TextIOWrapper, which cannot be pickled",
    ),
]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("make", "text"), UNSENDABLE, ids=["closure", "global", "argument", "keyword", "object", "file"]
)
def test_a_node_that_cannot_be_pickled_is_refused_when_its_flow_is_built(make: Make, text: str) -> None:
    with ExitStack() as stack:
        node = make(stack)
        with pytest.raises(pr.FlowError, match=text) as caught:
            pr.Flow(node)
    assert str(caught.value).endswith("Make it inside the function, or in the constructor or setup() of a class node")
    assert caught.value.node == node.name
    assert caught.value.path in str(caught.value)

"""What a replica calls for a message: the user's function itself, wherever nothing has to be looked at."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

import penguiray as pr
from penguiray.clock import SystemClock
from penguiray.runtime.bound import BoundNode
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.executor import Executor


def annotated(x: int) -> int | None:
    return x


def untyped(x):  # type: ignore[no-untyped-def]  # the point of it
    return x


def anything(x: int) -> Any:
    return x


def batched(xs: list[int]) -> Any:
    return xs


@pytest.mark.parametrize("function", [annotated, pr.node(batch=pr.Batch())(batched), untyped, anything])
def test_only_what_a_function_returns_that_does_not_say_what_it_is_looked_at(function: Any) -> None:
    node = function if isinstance(function, pr.Node) else pr.node(function)
    bound = BoundNode(node.spec, epoch=1, clock=SystemClock(), destinations={}, cancelled=Cancelled())
    asyncio.run(bound.open(cast("Executor", None)))
    assert (bound.function is node.spec.code.target) is (node.name in {"annotated", "batched"})

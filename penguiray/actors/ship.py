"""Stages as bytes: the user's code by name where a worker can import it, by value from everywhere else.

Constructor arguments above the inline limit travel apart from their stages: each object is pickled once a run, however
many nodes and replicas are given it, and its large buffers are not copied. Replicas of a host share them, read-only.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle
import numpy as np

from penguiray.graph.spec import NodeSpec
from penguiray.link.classes import by_value
from penguiray.link.pickler import dumps
from penguiray.link.sendable import check_sendable
from penguiray.plan.outline import outline
from penguiray.plan.plan import Plan, Stage

__all__ = ["Packed", "Parcels", "pack_outline", "unpack_stage"]

Packed = tuple[Any, list[Any]]
"""An object as arrays of bytes: its pickle, and the buffers that stay outside it."""


@dataclass(frozen=True, slots=True)
class _Apart:
    """Stands in a stage for an argument that travels apart from it."""

    number: int


class Parcels:
    """Pickles the stages of one run, and each large argument once."""

    def __init__(self, inline_limit: int) -> None:
        self._inline_limit = inline_limit
        self._numbers: dict[int, int | None] = {}
        self._held: list[Any] = []
        self.large: list[Packed] = []
        """The large arguments, by the numbers that stand for them in the stages."""

    def pack(self, plan: Plan) -> list[tuple[bytes, list[int]]]:
        """Pickle every stage; gives each with the numbers of its large arguments. May be called again.

        Raises:
            FlowError: A node cannot be pickled any more, since something that it uses has changed after it was built.
        """
        with by_value():
            return [self._stage(stage) for stage in plan.stages]

    def _stage(self, stage: Stage) -> tuple[bytes, list[int]]:
        used: list[int] = []
        nodes = tuple(_checked(node, lambda node: self._without_large(node, used)) for node in stage.nodes)
        return dumps(replace(stage, nodes=nodes)), list(dict.fromkeys(used))

    def _without_large(self, node: NodeSpec, used: list[int]) -> NodeSpec:
        """The node with its large arguments replaced; proven to pickle."""

        def apart(value: Any) -> Any:
            number = self._number(value)
            if number is None:
                return value
            used.append(number)
            return _Apart(number)

        light = _with_arguments(node, apart)
        dumps(light)
        return light

    def _number(self, value: Any) -> int | None:
        """Number of a large object; None for a small one."""
        if id(value) not in self._numbers:
            self._held.append(value)  # so that its id stays its own
            buffers: list[Any] = []
            data = dumps(value, buffers.append)
            arrays = [np.frombuffer(buffer.raw(), dtype=np.uint8) for buffer in buffers]
            is_large = len(data) + sum(array.nbytes for array in arrays) > self._inline_limit
            self._numbers[id(value)] = len(self.large) if is_large else None
            if is_large:
                self.large.append((np.frombuffer(data, dtype=np.uint8), arrays))
        return self._numbers[id(value)]


def unpack_stage(code: bytes, numbers: Sequence[int], large: Sequence[Packed]) -> Stage:
    """The stage with its large arguments in their places; buffers are used where they lie, read-only."""
    stage: Stage = cloudpickle.loads(code)
    values = {
        number: pickle.loads(data, buffers=buffers)  # noqa: S301 - from this run's driver
        for number, (data, buffers) in zip(numbers, large, strict=True)
    }

    def back(value: Any) -> Any:
        return values[value.number] if isinstance(value, _Apart) else value

    return replace(stage, nodes=tuple(_with_arguments(node, back) for node in stage.nodes)) if values else stage


def pack_outline(plan: Plan) -> bytes:
    """Pickle the plan without the user's code, for processes that attach to the run."""
    with by_value():
        return dumps(outline(plan))


def _with_arguments(node: NodeSpec, change: Callable[[Any], Any]) -> NodeSpec:
    arguments, keywords = node.arguments
    changed = tuple(map(change, arguments)), {name: change(value) for name, value in keywords.items()}
    return replace(node, arguments=changed)


def _checked(node: NodeSpec, pack: Callable[[NodeSpec], NodeSpec]) -> NodeSpec:
    try:
        return pack(node)
    except Exception:
        check_sendable([node])
        raise

"""Random flows on the local engine, compared with a plain evaluation of the same graph.

Nodes are drawn as small tables (what each does to a number), from which both the flow and the reference are made. A
failing message fails its input; the results of the others are compared as multisets. A failure prints its seed.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import penguiray as pr
from penguiray.graph.node import Graph, Node

MODULUS = 97
KINDS = (
    "function", "async", "generator", "async generator", "flaky generator", "batch", "async batch", "emits", "flaky",
    "class",
)  # fmt: skip
SAFETY_S = 60.0
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A seed does not get simpler by getting smaller, and an example that hangs is not worth repeating."""


@dataclass
class Drawn:
    """A node of a random flow: what it does to a number."""

    name: str
    kind: str
    factor: int
    fails_at: int
    drops_at: int

    def outputs(self, x: int) -> list[int]:
        """All that the node makes of a message, by the rules that its real code follows."""
        y = (x * self.factor + 1) % MODULUS
        if x % 11 == self.drops_at:
            return []
        if "generator" in self.kind:
            return [y, (y + 5) % MODULUS][: 1 + x % 2]
        if self.kind == "emits":
            return [(y + 9) % MODULUS, y]
        if "batch" in self.kind and x % 3 == 0:
            return [y, y]
        return [y]

    def refuse(self, x: int) -> None:
        """Raise for the messages that the node fails on."""
        if x % 13 == self.fails_at:
            raise ValueError(x)


class Instance:
    """A class node; the drawn node is its constructor's argument."""

    def __init__(self, drawn: Drawn) -> None:
        self.drawn = drawn

    def __call__(self, x: int) -> int | None:
        self.drawn.refuse(x)
        return next(iter(self.drawn.outputs(x)), None)


def entry(outputs: list[int]) -> Any:
    return None if not outputs else outputs[0] if len(outputs) == 1 else pr.Many(outputs)


def code_of(drawn: Drawn) -> Callable[..., Any]:
    """The function that a node of a flow runs."""

    def function(x: int) -> int | None:
        drawn.refuse(x)
        return next(iter(drawn.outputs(x)), None)

    async def waiting(x: int) -> int | None:
        return function(x)

    def generator(x: int) -> Iterator[int]:
        yield from drawn.outputs(x)
        drawn.refuse(x)

    def flaky_generator(x: int, ctx: pr.Context) -> Iterator[int]:
        for index, y in enumerate(drawn.outputs(x)):
            if index + 1 == ctx.attempt:
                raise KeyError(x)
            yield y
        drawn.refuse(x)

    async def async_generator(x: int) -> AsyncIterator[int]:
        for y in drawn.outputs(x):
            yield y
        drawn.refuse(x)

    def emits(x: int, ctx: pr.Context) -> int | None:
        drawn.refuse(x)
        outputs = drawn.outputs(x)
        for y in outputs[:-1]:
            ctx.emit(y, key=y % 3)
        return outputs[-1] if outputs else None

    def flaky(x: int, ctx: pr.Context) -> int | None:
        if ctx.attempt < 1 + x % 3:
            raise KeyError(x)
        return function(x)

    def batch(xs: list[int]) -> list[Any]:
        return [entry(drawn.outputs(x)) for x in xs]

    async def async_batch(xs: list[int]) -> list[Any]:
        return batch(xs)

    codes: dict[str, Callable[..., Any]] = {
        "function": function, "async": waiting, "generator": generator, "async generator": async_generator,
        "flaky generator": flaky_generator,
        "emits": emits, "flaky": flaky, "batch": batch, "async batch": async_batch,
    }  # fmt: skip
    return codes[drawn.kind]


def made(drawn: Drawn, rng: random.Random) -> Node[int, int]:
    """The drawn node as a real one, with options that must not change what it gives."""
    options: dict[str, Any] = {"name": drawn.name}
    if "batch" in drawn.kind:
        fixed = pr.Batch(max_size=rng.choice([1, 2, 5]), max_wait_s=rng.choice([0.0, 0.001]))
        options["batch"] = rng.choice([fixed, fixed, "auto"])
    if drawn.kind.startswith("flaky"):
        options["retry"] = pr.Retry(max_attempts=3, initial_s=0.0, budget_reserve=100_000)
    if rng.random() < 0.2:
        options["fuse"] = False
    if rng.random() < 0.2:
        options["concurrency"] = rng.choice([1, 2, 7])
    untyped: Any = pr
    node: Node[int, int] = (
        untyped.actor(**options)(Instance)(drawn) if drawn.kind == "class" else untyped.node(**options)(code_of(drawn))
    )
    return node


def draw_node(rng: random.Random, number: int) -> Drawn:
    kind = rng.choice(KINDS)
    fails_at = rng.choice([-1, -1, rng.randrange(13)]) if "batch" not in kind else -1
    return Drawn(f"n{number}", kind, rng.randrange(1, MODULUS), fails_at, rng.choice([-1, -1, rng.randrange(11)]))


def draw_flow(rng: random.Random) -> tuple[list[list[Drawn]], list[bool]]:
    """Layers of nodes; all of a layer feed all of the next, or the next is a route into its nodes."""
    sizes = [rng.choice([1, 1, 1, 2, 3]) for _ in range(rng.randint(1, 4))]
    layers, number = [], 0
    for size in sizes:
        layer = [draw_node(rng, number + index) for index in range(size)]
        number += size
        layers.append(layer)
    return layers, [rng.random() < 0.4 for _ in layers]


@dataclass
class Outcome:
    results: Counter[int] = field(default_factory=Counter)
    errors: int = 0


def chosen(x: int, layer: list[Drawn], *, routed: bool) -> list[Drawn]:
    """Who of a layer gets a message: everybody, or the first whose predicate accepts it, else the last."""
    if not routed:
        return layer
    accepting = (node for divisor, node in zip((2, 3), layer[:-1], strict=False) if x % divisor == 0)
    return [next(accepting, layer[-1])]


def reference(layers: list[list[Drawn]], routed: list[bool], inputs: list[int]) -> Outcome:
    """What the flow must give: every message followed by hand."""
    outcome = Outcome()
    for x in inputs:
        has_failed = False
        waiting = [(x, 0)]
        while waiting:
            value, depth = waiting.pop()
            if depth == len(layers):
                outcome.results[value] += 1
                continue
            for node in chosen(value, layers[depth], routed=routed[depth]):
                outputs = node.outputs(value)
                try:
                    node.refuse(value)
                except ValueError:
                    has_failed = True
                    outputs = outputs if "generator" in node.kind else []
                if node.kind in {"function", "async", "flaky", "class"}:
                    outputs = outputs[:1]
                waiting += [(y, depth + 1) for y in outputs]
        outcome.errors += has_failed
    return outcome


def divisible(divisor: int) -> Callable[[int], bool]:
    def predicate(x: int) -> bool:
        return x % divisor == 0

    return predicate


def graph_of(layers: list[list[Drawn]], routed: list[bool], rng: random.Random) -> Graph[int, int]:
    graph: Graph[int, int] | None = None
    for depth, (layer, is_routed) in enumerate(zip(layers, routed, strict=True)):
        nodes = [made(drawn, rng) for drawn in layer]
        if is_routed:
            pairs = [(divisible(d), node) for d, node in zip((2, 3), nodes[:-1], strict=False)]
            if not pairs:
                pairs = [(divisible(1), nodes[0])]
            step = pr.route(*pairs, default=nodes[-1] if len(nodes) > 1 else None, name=f"route{depth}")
        else:
            step = pr.fan(*nodes)
        graph = step if graph is None else graph >> step
    assert graph is not None
    return graph


def append(total: list[int], x: int) -> list[int]:
    total.append(x)
    return total


def tight(rng: random.Random) -> pr.FlowOptions:
    if rng.random() < 0.4:
        return pr.FlowOptions(link_messages=1, frame_messages=1)
    return pr.FlowOptions(link_messages=rng.choice([2, 50, 2_000]), frame_messages=rng.choice([1, 3, 1_000]))


def outcome_of(
    flow: pr.Flow[int, Any], inputs: list[int], number: int, *, window: int | None, ordered: bool
) -> tuple[list[Any], pr.Status]:
    """Run a flow in a thread of its own: one that loses a message is a failure then, and no test without an end."""

    def work() -> tuple[list[Any], pr.Status]:
        with flow.start(engine="local", seed=number) as run:
            found = list(run.map(inputs, on_error="yield", window=window, ordered=ordered))
            return found, run.status()

    outcome: list[tuple[list[Any], pr.Status] | Exception] = []

    def kept() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=kept, daemon=True)
    thread.start()
    thread.join(SAFETY_S)
    assert outcome, f"the flow of seed {number} did not end within {SAFETY_S:g} s"
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


@settings(max_examples=120, deadline=None, phases=UNSHRUNK)
@given(number=st.integers(0, 2**48))
def test_a_random_flow_gives_what_a_plain_evaluation_of_it_gives(number: int) -> None:
    rng = random.Random(number)
    layers, routed = draw_flow(rng)
    inputs = [rng.randrange(1_000) for _ in range(rng.choice([0, 1, 7, 40]))]
    graph = graph_of(layers, routed, rng)
    folded = rng.random() < 0.3
    everything: Node[int, list[int]] = pr.fold(list, append)
    whole: Graph[int, Any] = graph >> everything if folded else graph
    flow = pr.Flow(whole, options=tight(rng))
    wanted = reference(layers, routed, inputs)
    window, ordered = rng.choice([None, 1, 3, 50]), rng.random() < 0.5
    found, status = outcome_of(flow, inputs, number, window=window, ordered=ordered)
    errors = [result for result in found if isinstance(result, pr.NodeError)]
    results = [result for result in found if not isinstance(result, pr.NodeError)]
    if folded:
        assert len(results) == 1
        results = results[0]
    assert Counter(results) == wanted.results
    assert len(errors) == wanted.errors
    assert status.inputs_live == 0
    assert status.inputs_done == len(inputs) + folded
    names = {node.name for layer in layers for node in layer}
    assert {error.node for error in errors} <= names


@settings(max_examples=60, deadline=None, phases=UNSHRUNK)
@given(number=st.integers(0, 2**48))
def test_ordered_results_of_a_random_flow_come_in_groups_in_the_order_of_the_inputs(number: int) -> None:
    rng = random.Random(number)
    layers, routed = draw_flow(rng)
    inputs = [rng.randrange(1_000) for _ in range(12)]
    flow = pr.Flow(graph_of(layers, routed, rng), options=tight(rng))
    found, _ = outcome_of(flow, inputs, number, window=rng.choice([None, 2, 12]), ordered=True)
    position = 0
    for x in inputs:
        wanted = reference(layers, routed, [x])
        size = sum(wanted.results.values())
        group = found[position : position + size]
        assert Counter(group) == wanted.results
        position += size
        errors = found[position : position + wanted.errors]
        assert all(isinstance(error, pr.NodeError) for error in errors)
        position += wanted.errors
    assert position == len(found)

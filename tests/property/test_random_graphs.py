"""Random graphs with joins, ways back and switches, under failures, cancelling and one credit.

Each is compared with a plain evaluation. A graph is a row of blocks, drawn as small tables; the flow and the reference
are made of the same tables. The local engine runs in virtual time, where a run that can never end is an error and no
hang. `SEEDS=2000 SEEDS_ON_RAY=50` draws more of them; a failure says its seed.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import penguiray as pr
from penguiray.graph.node import Graph
from penguiray.testing import virtual_time

M = 97
SEEDS = {"local": int(os.environ.get("SEEDS", "40")), "ray": int(os.environ.get("SEEDS_ON_RAY", "1"))}
FIRST = int(os.environ.get("FIRST_SEED", "0"))


class Low(int):
    """A message for the first branch of a switch."""


class High(int):
    """A message for the second one."""


@dataclass(frozen=True)
class Step:
    """What a node does to a number."""

    name: str
    kind: str
    factor: int
    fails_at: int = -1
    drops_at: int = -1

    def outputs(self, x: int) -> list[int]:
        y = (x * self.factor + 1) % M
        if x % 11 == self.drops_at:
            return []
        return [y, (y + 5) % M][: 1 + x % 2] if self.kind in {"generator", "batch"} else [y]

    def refuse(self, x: int) -> None:
        if x % 13 == self.fails_at:
            raise ValueError(x)


@dataclass(frozen=True)
class Block:
    """A part of the row: its kind, its nodes, and whatever else it needs."""

    kind: str
    steps: tuple[Step, ...]
    limit: int = 0
    incomplete: str = "fail"


@dataclass
class Outcome:
    results: Counter[int] = field(default_factory=Counter)
    failed: bool = False


# -- drawing


def draw_step(rng: random.Random, name: str, *, is_single: bool = False) -> Step:
    kinds = ("function", "async", "flaky") if is_single else ("function", "async", "flaky", "generator", "batch")
    kind = rng.choice(kinds)
    fails_at = rng.choice([-1, -1, rng.randrange(13)]) if kind != "batch" else -1
    return Step(name, kind, rng.randrange(1, M), fails_at, rng.choice([-1, -1, rng.randrange(11)]))


def draw(rng: random.Random) -> list[Block]:
    blocks: list[Block] = []
    is_single = True
    for number in range(rng.randint(1, 4)):
        kinds = ["step", "fan", "switch", "all", "loop", *(["pair", "pair"] if is_single else ["all"])]
        kind = rng.choice(kinds)
        single = is_single and kind in {"pair", "switch"} and rng.random() < 0.8
        count = {"step": 1, "all": 1}.get(kind, 2)
        steps = tuple(
            draw_step(rng, f"n{number}_{index}", is_single=single or kind == "pair") for index in range(count)
        )
        blocks.append(Block(kind, steps, rng.choice([1, 2, 10]), rng.choice(["fail", "partial"])))
        if kind in {"all", "pair"}:
            is_single = True
        elif kind in {"fan", "loop"} or any(step.kind in {"generator", "batch"} for step in steps):
            is_single = False
    if rng.random() < 0.25:
        blocks.append(Block("keys", (Step("keys", "function", 1),)))
    return blocks


# -- the reference


def after(step: Step, x: int, outcome: Outcome) -> list[int]:
    """Outputs of a node for one message, by the rules that its real code follows."""
    outputs = step.outputs(x)
    try:
        step.refuse(x)
    except ValueError:
        outcome.failed = True
        return outputs if step.kind == "generator" else []
    return outputs


def evaluate(blocks: list[Block], x: int) -> Outcome:
    """What one input must give: its messages followed by hand, with each join closed when nothing else is open."""
    outcome = Outcome()
    waiting: list[tuple[int, int, int]] = [(0, x, 0)]
    parked: dict[int, list[int]] = {}
    while waiting or parked:
        if not waiting:
            depth = min(parked)
            close(blocks[depth], depth, parked.pop(depth), waiting, outcome)
            continue
        depth, value, hops = waiting.pop()
        if depth == len(blocks):
            outcome.results[value] += 1
            continue
        for new in through(blocks[depth], depth, value, hops, outcome):
            if new[0] == -1:
                group = parked.setdefault(depth, [])
                group.append(new[1])
                if blocks[depth].kind == "pair" and len(group) == 2:
                    waiting.append((depth + 1, sum(parked.pop(depth)) % M, 0))
            else:
                waiting.append(new)
    return outcome


def close(block: Block, depth: int, group: list[int], waiting: list[tuple[int, int, int]], outcome: Outcome) -> None:
    if block.kind == "pair" and block.incomplete == "fail":
        outcome.failed = True
    else:
        waiting.append((depth + 1, sum(group) % M, 0))


def through(block: Block, depth: int, x: int, hops: int, outcome: Outcome) -> Iterator[tuple[int, int, int]]:
    """Where a message goes: (depth, value, hops); depth -1 is the block's join."""
    first, *others = block.steps
    if block.kind == "step":
        yield from ((depth + 1, y, 0) for y in after(first, x, outcome))
    elif block.kind == "fan":
        yield from ((depth + 1, y, 0) for step in block.steps for y in after(step, x, outcome))
    elif block.kind == "switch":
        chosen = first if x % 2 else others[0]
        yield from ((depth + 1, y, 0) for y in after(chosen, x, outcome))
    elif block.kind == "all":
        yield from ((-1, y, 0) for y in after(first, x, outcome))
    elif block.kind == "pair":
        yield from ((-1, y, 0) for step in block.steps for y in after(step, x, outcome))
    elif block.kind == "loop":
        for y in after(first, x, outcome):
            yield from loop_outputs(block, depth, y, hops, outcome)
    else:
        yield depth + 1, x, 0


def loop_outputs(block: Block, depth: int, y: int, hops: int, outcome: Outcome) -> Iterator[tuple[int, int, int]]:
    if y % 3:
        yield depth + 1, y, 0
    elif hops < block.limit:
        yield from ((depth, (y + add) % M, hops + 1) for add in (1, 2))
    else:
        outcome.failed = True


# -- the flow


def code_of(step: Step, *, pauses: float) -> Callable[..., Any]:
    """The function of a node; flaky ones and async ones take a while."""

    def function(x: int) -> int | None:
        step.refuse(x)
        return next(iter(step.outputs(x)), None)

    async def waits(x: int) -> int | None:
        await asyncio.sleep(pauses * (1 + x % 3))
        return function(x)

    def flaky(x: int, ctx: pr.Context) -> int | None:
        if ctx.attempt <= x % 3:
            raise KeyError(x)
        return function(x)

    def generator(x: int) -> Iterator[int]:
        yield from step.outputs(x)
        step.refuse(x)

    def batch(xs: list[int]) -> list[Any]:
        return [pr.Many(step.outputs(x)) for x in xs]

    codes: dict[str, Callable[..., Any]] = {
        "function": function, "async": waits, "flaky": flaky, "generator": generator, "batch": batch,
    }  # fmt: skip
    return codes[step.kind]


def node_of(step: Step, rng: random.Random, *, pauses: float) -> Any:
    options: dict[str, Any] = {"name": step.name}
    if step.kind == "batch":
        fixed = pr.Batch(max_size=rng.choice([1, 2, 5]), max_wait_s=rng.choice([0.0, 0.001]))
        options["batch"] = rng.choice([fixed, fixed, "auto"])
    if step.kind == "flaky":
        options["retry"] = pr.Retry(max_attempts=3, initial_s=pauses, budget_reserve=100_000, on=(KeyError,))
    if rng.random() < 0.2:
        options["fuse"] = False
    if rng.random() < 0.2:
        options["concurrency"] = rng.choice([1, 3])
    untyped: Any = pr.node
    return untyped(**options)(code_of(step, pauses=pauses))


def added(name: str) -> Any:
    @pr.node(name=name)
    def add(xs: list[int]) -> int:
        return sum(xs) % M

    return add


def residue(x: int) -> int:
    return x % 3


def part_of(block: Block, number: int, rng: random.Random, *, pauses: float) -> tuple[Graph[Any, Any], list[pr.Back]]:
    """The graph of a block, and its ways back."""
    nodes = [node_of(step, rng, pauses=pauses) for step in block.steps]
    if block.kind == "switch":

        @pr.node(name=f"sort{number}")
        def sort(x: int) -> Low | High:
            return Low(x) if x % 2 else High(x)

        return sort >> pr.switch((Low, nodes[0]), (High, nodes[1]), name=f"switch{number}"), []
    if block.kind == "all":
        return nodes[0] >> pr.join(name=f"join{number}") >> added(f"add{number}"), []
    if block.kind == "pair":
        joined: Any = pr.join(2, incomplete=block.incomplete, name=f"join{number}")  # type: ignore[call-overload]  # drawn
        return pr.fan(*nodes) >> joined >> added(f"add{number}"), []
    if block.kind == "loop":
        return loop_of(nodes[0], block, number)
    if block.kind == "keys":
        return pr.join(key=residue, name="keys") >> added("add_keys"), []
    return pr.fan(*nodes), []


def loop_of(body: Any, block: Block, number: int) -> tuple[Graph[Any, Any], list[pr.Back]]:
    entry = f"entry{number}"

    @pr.node(name=entry)
    def enter(x: int) -> int:
        return x

    @pr.node(name=f"decide{number}")
    def decide(x: int, ctx: pr.Context) -> int | None:
        if x % 3:
            return x
        for add in (1, 2):
            ctx.emit((x + add) % M, to=entry, key=x % 2 if number % 2 else None)
        return None

    return enter >> body >> decide, [pr.Back(decide, enter, max_hops=block.limit)]


def flow_of(blocks: list[Block], rng: random.Random, *, pauses: float) -> pr.Flow[int, int]:
    graph: Graph[Any, Any] | None = None
    backs: list[pr.Back] = []
    for number, block in enumerate(blocks):
        part, ways_back = part_of(block, number, rng, pauses=pauses)
        graph = part if graph is None else graph >> part
        backs += ways_back
    assert graph is not None
    link_messages, frame_messages = rng.choice([1, 1, 2, 2_000]), rng.choice([1, 3, 1_000])
    options = pr.FlowOptions(  # a few graphs make more of an input than an input may be by default
        link_messages=link_messages, frame_messages=frame_messages, max_live_messages=1_000_000
    )
    return pr.Flow(graph, name="random", back=backs, options=options)


async def drive(
    flow: pr.Flow[int, int], inputs: list[int], cancels: dict[str, float]
) -> tuple[dict[str, list[Any]], pr.Status]:
    """Send all inputs, give up some of them after a while, and read everything, by the name of the input."""
    found: dict[str, list[Any]] = {f"t{number}": [] for number in range(len(inputs))}

    async def read(run: pr.Run[int, int]) -> None:
        async for trace_id, result in run.aresults(on_error="yield", with_trace=True):
            found[trace_id].append(result)

    async def cancel(run: pr.Run[int, int], trace_id: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        run.cancel(trace_id)

    async with asyncio.TaskGroup() as group, flow.start() as run:
        group.create_task(read(run))
        for trace_id, after_s in cancels.items():
            group.create_task(cancel(run, trace_id, after_s))
        for number, x in enumerate(inputs):
            await run.asend(x, trace_id=f"t{number}", headers={"priority": ("low", "normal", "high")[number % 3]})
    return found, run.status()


def checked(
    blocks: list[Block], inputs: list[int], found: dict[str, list[Any]], cancels: dict[str, float]
) -> Iterator[str]:
    """What is wrong about what was found; nothing, if all is well."""
    wanted = {f"t{number}": evaluate(blocks, x) for number, x in enumerate(inputs)}
    if blocks[-1].kind == "keys":
        merged: Counter[int] = Counter()
        for outcome in wanted.values():
            merged += outcome.results
        sums: dict[int, int] = {}
        for value, count in merged.items():
            sums[residue(value)] = sums.get(residue(value), 0) + value * count
        results = Counter(r for some in found.values() for r in some if not isinstance(r, Exception))
        if results != Counter(total % M for total in sums.values()):
            yield f"by key: {results} instead of {sums}"
    for name, outcome in wanted.items():
        errors = [result for result in found[name] if isinstance(result, Exception)]
        results = Counter(result for result in found[name] if not isinstance(result, Exception))
        if name in cancels and [type(error) for error in errors] == [pr.Cancelled]:
            if results - outcome.results and not any(block.kind in {"all", "pair"} for block in blocks):
                yield f"{name}: {results} beside {outcome.results}, though it was cancelled"
        elif len(errors) != outcome.failed or (results != outcome.results and blocks[-1].kind != "keys"):
            yield f"{name}: {results} and {errors} instead of {outcome}"


def test_random_graphs_give_what_a_plain_evaluation_of_them_gives(engine: str) -> None:
    for number in range(FIRST, FIRST + SEEDS[engine]):
        rng = random.Random(number)
        blocks = draw(rng)
        inputs = [rng.randrange(1_000) for _ in range(rng.choice([1, 5, 25]))]
        has_keys = blocks[-1].kind == "keys"
        cancels = {} if has_keys else {f"t{i}": rng.choice([0.0, 0.001, 0.004]) for i in range(0, len(inputs), 6)}
        cancels = cancels if rng.random() < 0.5 else {}
        flow_rng = random.Random(number)
        if engine == "local":
            with virtual_time(seed=number) as clock:
                flow = flow_of(blocks, flow_rng, pauses=0.001)
                found, status = clock.run(drive(flow, inputs, cancels))
        else:
            flow = flow_of(blocks, flow_rng, pauses=0.001)
            found, status = asyncio.run(drive(flow, inputs, cancels))
        wrong = list(checked(blocks, inputs, found, cancels))
        assert not wrong, f"seed {number}: {wrong[:3]}; blocks {blocks}; inputs {inputs}; cancelled {cancels}"
        assert status.inputs_live == 0, f"seed {number}: {status}"


@pytest.mark.parametrize("kind", ["step", "fan", "switch", "all", "pair", "loop", "keys"])
def test_every_kind_of_block_is_drawn(kind: str) -> None:
    drawn = Counter(block.kind for number in range(120) for block in draw(random.Random(number)))
    assert drawn[kind] > 10

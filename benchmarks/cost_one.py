"""One cell of the table of costs, in this process: `python -m benchmarks.cost_one '{"stages": 3}' --n 1000`."""

from __future__ import annotations

import argparse
import json
import sys
import time

import penguiray as pr
from benchmarks.alone import give_row
from benchmarks.cost_cells import Cell
from benchmarks.cpu import cpu_time
from benchmarks.measure import Measures
from benchmarks.ray_session import prepare_environment, ray_session

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run it; the last line on stdout is what it found, also when it failed.

    Returns:
        Exit status: 1 when it failed, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cell", type=json.loads, help="fields of a cell that differ from the first line's, as JSON")
    parser.add_argument("--n", type=int, help="messages; unset: the size of scale 'tiny'")
    wishes = parser.parse_args(arguments)
    cell = Cell(**wishes.cell)
    return give_row(lambda: _measure(cell, wishes.n or cell.size("tiny")))


def _measure(cell: Cell, n: int) -> Measures:
    inputs = [index.to_bytes(8, "big") + bytes(cell.payload_bytes - 8) for index in range(n)]
    with prepare_environment(), ray_session(), _flow(cell).start(engine="ray") as run:
        run.collect(inputs[: max(20, n // 10)])
        used_before, began = cpu_time(), time.perf_counter()
        results = run.collect(inputs)
        seconds, used = time.perf_counter() - began, cpu_time()
    if sorted(results) != inputs:
        raise ValueError(f"{len(results)} results for {n} messages are not the messages")
    measures = used.each_us(used_before, n)
    return {
        **measures,
        "stage_cpu_us": measures["workers_cpu_us"] / cell.stages,
        "messages_per_s": n / seconds,
        "timed_s": seconds,
    }


def _flow(cell: Cell) -> pr.Flow[bytes, bytes]:
    nodes = [_node(cell, index) for index in range(cell.stages)]
    graph: pr.Graph[bytes, bytes] = nodes[0]
    for node in nodes[1:]:
        graph = graph >> node
    return pr.Flow(graph, name="cost", options=pr.FlowOptions(streams=cell.streams))


def _node(cell: Cell, index: int) -> pr.Node[bytes, bytes]:
    return pr.node(name=f"pass{index}", fuse=False, replicas=cell.replicas, delivery=cell.delivery)(_pass)


def _pass(data: bytes) -> bytes:
    return data


if __name__ == "__main__":
    sys.exit(main())

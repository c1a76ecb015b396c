"""A graph as a user would write it, for what a print shows."""

from __future__ import annotations

from collections.abc import Sequence

from penguiray.draw.text import shortened
from penguiray.graph.spec import Edge, NodeSpec, Shape

__all__ = ["written"]

_MOST = 200
"""Signs: what is longer is looked at in `flow.explain()` or in a drawing."""


def written(shape: Shape) -> str:
    """`fetch >> split >> (polish, price)` where the graph is one line of steps, else its edges; at most 200 signs."""
    place = {node: number for number, node in enumerate(shape.nodes)}
    edges = sorted((edge for edge in shape.edges if edge.back is None), key=lambda edge: place[edge.source])
    steps = _steps(shape, edges)
    text = ", ".join(_edges(shape, edges)) if steps is None else " >> ".join(map(_step, steps))
    backs = ", ".join(_arrow(edge) for edge in shape.edges if edge.back is not None)
    return shortened(f"{text}; back: {backs}" if backs else text, _MOST)


def _steps(shape: Shape, edges: Sequence[Edge]) -> list[list[NodeSpec]] | None:
    """Groups of nodes, each of which leads to all nodes of the next and to no others; None if there is another edge."""
    steps, expected = [list(shape.sources)], 0
    while following := list(dict.fromkeys(edge.target for edge in edges if edge.source in steps[-1])):
        expected += len(steps[-1]) * len(following)
        steps.append(following)
        if len(steps) > len(shape.nodes):
            return None
    is_all = sum(map(len, steps)) == len(shape.nodes) and expected == len({_arrow(edge) for edge in edges})
    return steps if is_all and set(steps[-1]) == set(shape.ends) else None


def _step(nodes: Sequence[NodeSpec]) -> str:
    names = ", ".join(node.name for node in nodes)
    return names if len(nodes) == 1 else f"({names})"


def _edges(shape: Shape, edges: Sequence[Edge]) -> list[str]:
    alone = [node for node in shape.nodes if not any(node in {edge.source, edge.target} for edge in edges)]
    return list(dict.fromkeys([*map(_arrow, edges), *(node.name for node in alone)]))


def _arrow(edge: Edge) -> str:
    return f"{edge.source.name} >> {edge.target.name}"

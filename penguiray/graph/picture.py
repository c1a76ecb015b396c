"""What a graph looks like: its nodes as boxes, its edges as arrows, and where messages enter and leave."""

from __future__ import annotations

from collections.abc import Sequence

from penguiray.draw.amounts import counted
from penguiray.draw.diagram import Arrow, Block, Box, Diagram, Look
from penguiray.graph.branches import branch_name
from penguiray.graph.spec import Edge, NodeSpec, Shape
from penguiray.graph.types import is_checked, show, union_members

__all__ = ["diagram_of"]

_IN, _OUT = "/in", "/out"
"""Keys of the ways in and out; no node can be named so, since names have no '/'."""


def diagram_of(shape: Shape, title: str, stages: Sequence[Sequence[NodeSpec]] = ()) -> Diagram:
    """Draw a graph.

    Args:
        shape: The graph.
        title: What it shows, in a few words.
        stages: Groups of nodes that share a process, each fed by the one before it. Empty: no groups are drawn.
    """
    groups = stages or [(node,) for node in shape.nodes]
    keys = _keys(shape)
    blocks = tuple(
        Block(tuple(_box(node, keys[node]) for node in group), "one stage" if len(group) > 1 else "")
        for group in groups
    )  # fmt: skip
    ends = (Block((_port(_IN, "input", [node.signature.input_type for node in shape.sources]),)),)
    exits = (Block((_port(_OUT, "results", [node.signature.output_type for node in shape.ends]),)),)
    return Diagram(title, ends + blocks + exits, _arrows(shape, keys))


def _keys(shape: Shape) -> dict[NodeSpec, str]:
    """A key for each node: its name, with its number where a graph that nobody has checked yet has two of that name."""
    keys: dict[NodeSpec, str] = {}
    for number, node in enumerate(shape.nodes):
        keys[node] = node.name if node.name not in keys.values() else f"{node.name}/{number}"
    return keys


def _box(node: NodeSpec, key: str) -> Box:
    looks: dict[str, Look] = {"route": "choice", "fold": "sum", "join": "sum"}
    return Box(key, node.name, _detail(node), looks.get(node.kind, "step"))


def _detail(node: NodeSpec) -> str:
    """What is worth knowing at a glance."""
    if node.join is not None:
        count = "all" if node.join.count is None else str(node.join.count)
        return f"{count} of one {'key' if node.join.is_by_key else 'input'}"
    if node.kind in {"route", "fold"}:
        return ""
    batch = node.options.batch_or_none
    parts = [
        "async" * node.signature.is_async,
        "generator" * node.signature.is_stream,
        "" if batch is None else "auto batches" if batch == "auto" else f"batches of {batch.max_size}",
        "class" * (node.kind == "class"),
    ]
    return ", ".join(part for part in parts if part)


def _port(key: str, title: str, annotations: Sequence[object]) -> Box:
    known = [member for annotation in annotations if is_checked(annotation) for member in union_members(annotation)]
    return Box(key, title, " | ".join(dict.fromkeys(show(one) for one in known)), "port")


def _arrows(shape: Shape, keys: dict[NodeSpec, str]) -> tuple[Arrow, ...]:
    labels: dict[tuple[str, str], list[str]] = {(_IN, keys[node]): [] for node in shape.sources}
    for edge in shape.edges:
        labels.setdefault((keys[edge.source], keys[edge.target]), []).extend(_labels(edge))
    labels |= {(keys[node], _OUT): [] for node in shape.ends}
    arrows = (Arrow(source, target, ", ".join(names)) for (source, target), names in labels.items())
    place = {key: number for number, key in enumerate((_IN, *keys.values()))}
    return tuple(sorted(arrows, key=lambda arrow: place[arrow.source]))


def _labels(edge: Edge) -> list[str]:
    if edge.back is not None:
        return [f"back, up to {counted(edge.back.max_hops, 'time')}"]
    return [] if edge.branch is None else [branch_name(edge.source, edge.branch)]

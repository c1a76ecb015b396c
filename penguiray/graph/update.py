"""A flow with another version of one of its nodes, as a run may change over to it while it works. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any

from penguiray.errors import FlowError
from penguiray.graph.check import check_edges
from penguiray.graph.policies import UNSET, NodeOptions
from penguiray.graph.spec import FlowSpec, NodeSpec, Shape

__all__ = ["updated"]

_CALLABLES = {"function", "class"}

_FIXED: dict[str, Callable[[NodeSpec], Any]] = {
    "whether it is async": lambda node: node.signature.is_async,
    "whether it yields its outputs": lambda node: node.signature.is_stream,
    "whether it takes a context": lambda node: node.signature.context is not None,
    "whether it takes batches, and as what": lambda node: node.options.batch and node.signature.columns,
    "whether it has a setup_host": lambda node: node.has_host_setup,
    "whether it has a retry": lambda node: node.options.retry_or_none is not None,
}
_FIXED_OPTIONS = (
    "num_cpus", "num_gpus", "memory", "resources", "label_selector", "runtime_env", "replicas", "concurrency", "rate",
    "delivery", "deterministic", "fuse",
)  # fmt: skip
"""What the plan, the actors or the caller's side rely on since the run started."""


def updated(spec: FlowSpec, name: str, new: NodeSpec) -> FlowSpec:
    """Put another node in the place of one.

    Args:
        spec: The flow that runs.
        name: The node, which keeps its name.
        new: What takes its place.

    Raises:
        FlowError: There is no such node, what differs was fixed when the run started, or an edge would not fit.
    """
    old = next((node for node in spec.shape.nodes if node.name == name), None)
    if old is None:
        names = [node.name for node in spec.shape.nodes]
        near = get_close_matches(name, names, n=1)
        which = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, names))}"
        raise FlowError(f"run {spec.name!r} has no node {name!r}; {which}")
    new = replace(new, options=_with_unset(new.options, old.options))
    _check_fixed(old, new, spec)
    shape = _with_node(spec.shape, old, replace(new, name=name))
    check_edges(shape, spec.name)
    return replace(spec, shape=shape)


def _with_unset(options: NodeOptions, before: NodeOptions) -> NodeOptions:
    """The options with those that are unset as they were; whether it takes batches its annotations say."""
    unset = [option.name for option in fields(options) if getattr(options, option.name) is UNSET]
    return replace(options, **{name: getattr(before, name) for name in unset if name not in {"name", "batch"}})


def _check_fixed(old: NodeSpec, new: NodeSpec, spec: FlowSpec) -> None:
    where = f"run {spec.name!r}: node {old.name!r} cannot become {new.name!r} ({new.where})"
    for node in (old, new):
        if node.kind not in _CALLABLES:
            raise FlowError(
                f"{where}: {node.name!r} is a pr.{node.kind}, and only functions and classes can be updated",
                node=old.name,
            )
    facts = [(what, of(old), of(new)) for what, of in _FIXED.items()]
    facts += [(name, getattr(old.options, name), getattr(new.options, name)) for name in _FIXED_OPTIONS]
    for what, now, then in facts:
        if now != then:
            raise FlowError(
                f"{where}: {what} is fixed when a run starts, and differs ({now!r} runs, {then!r} is given); make it "
                f"the same, or start the flow again",
                node=old.name,
            )
    if old in spec.shape.sources and old.signature.input_type != new.signature.input_type:
        raise FlowError(
            f"{where}: inputs are checked against what it is annotated to take, so that must stay the same",
            node=old.name,
        )
    if old.signature.output_type != new.signature.output_type and any(
        edge.back is not None and edge.source is old for edge in spec.shape.edges
    ):
        raise FlowError(
            f"{where}: its messages choose their way by type, so what it is annotated to give must stay the same",
            node=old.name,
        )


def _with_node(shape: Shape, old: NodeSpec, new: NodeSpec) -> Shape:
    def following(node: NodeSpec) -> NodeSpec:
        return new if node is old else node

    return Shape(
        tuple(map(following, shape.nodes)),
        tuple(replace(edge, source=following(edge.source), target=following(edge.target)) for edge in shape.edges),
        tuple(map(following, shape.sources)),
        tuple(map(following, shape.ends)),
    )

"""What is said about edges: who shares a replica with whom, which branch it is, and whether its types were checked."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from penguiray.draw.amounts import counted
from penguiray.explain.explanation import Statement
from penguiray.graph.back import given_along
from penguiray.graph.branches import branch_name
from penguiray.graph.spec import Edge, FlowSpec, Loop, NodeSpec, Shape
from penguiray.graph.types import is_checked, show
from penguiray.patterns import IsA
from penguiray.plan.plan import Plan

__all__ = ["branch_statements", "choice_statements", "fusion_statements", "type_statements"]


def _name(edge: Edge) -> str:
    return f"{edge.source.name} >> {edge.target.name}"


def fusion_statements(spec: FlowSpec, plan: Plan) -> Iterator[Statement]:
    """For every edge, whether its nodes share a replica."""
    reasons = {
        decision.subject: decision for decision in plan.decisions if decision.verdict in {"fused", "not fused"}
    }  # fmt: skip
    for name, edge in {_name(edge): edge for edge in spec.shape.edges}.items():
        decision = reasons.get(name)
        if edge.back is not None:
            yield Statement("fusion", name, "not fused", "it is a way back", "decided")
        elif decision is not None:
            yield Statement("fusion", name, decision.verdict, decision.reason, "decided")
        else:
            yield Statement(
                "fusion", name, "not fused", f"{edge.target.name!r} takes messages over several edges", "decided"
            )


def branch_statements(spec: FlowSpec) -> Iterator[Statement]:
    """For every choosing node, its branches in the order in which they are tried."""
    for route in spec.shape.nodes:
        if route.kind != "route":
            continue
        ways: dict[int, list[str]] = {}
        for edge in spec.successors(route):
            ways.setdefault(edge.branch or 0, []).append(edge.target.name)
        names = {branch: branch_name(route, branch) for branch in sorted(ways)}
        shown = ", ".join(f"{names[branch]} to {' and '.join(ways[branch])}" for branch in names)
        takes_all = "default" in names.values()
        reason = "the first branch that takes a message gets it" + (
            "" if takes_all else "; one that none takes is an error of the message"
        )
        yield Statement("branches", route.name, shown, reason, "decided")
    for edge in spec.shape.edges:
        if edge.back is not None:
            yield _way_back(edge, edge.back)


def choice_statements(plan: Plan) -> Iterator[Statement]:
    """For the ways in and every edge between stages, how the replica is chosen that gets a message."""
    ways = [("input", plan.stages[source]) for source in plan.sources]
    ways += [(stage.last.name, plan.stages[edge.target]) for stage in plan.stages for edge in stage.edges]
    for source, target in dict.fromkeys(ways):
        yield _choice(f"{source} >> {target.first.name}", target.replicas)


def _choice(subject: str, replicas: int) -> Statement:
    if replicas == 1:
        return Statement("choice of replica", subject, "the only one", "there is no other", "decided")
    why = (
        "of two that are drawn, and one on the sender's host, it would be finished there first, by what is under way, "
        "what others send, how quick each is, and how long bytes take to another host"
    )
    if subject.startswith("input >> "):
        return Statement("choice of replica", subject, "the better of a few", why, "decided")
    why += "; ctx.emit(key=) has all messages of a key go to one"
    return Statement("choice of replica", subject, "the better of a few, or that of the key", why, "decided")


def _way_back(edge: Edge, loop: Loop) -> Statement:
    names = " or ".join(cls.__name__ for cls in loop.takes)
    what = f"takes {names}" if names else f"takes what is sent with ctx.emit(to={edge.target.name!r})"
    why = f"at most {counted(loop.max_hops, 'time')} along one line of descent; messages on it are served first"
    return Statement("branches", f"{_name(edge)}, a way back", what, why, "decided")


def type_statements(spec: FlowSpec) -> Iterator[Statement]:
    """For the way in and every edge, whether its types were checked, and if not what is missing."""
    for source in spec.shape.sources:
        yield _entry(source)
    seen: dict[str, Statement] = {}
    for edge in spec.shape.edges:
        seen.setdefault(_name(edge), _edge_types(edge, spec.shape))
    yield from seen.values()
    for node in spec.shape.nodes:
        if node.options.validate:
            yield Statement("types", node.name, "pydantic checks each message", "the node says validate=True", "set")


def _entry(source: NodeSpec) -> Statement:
    subject, takes = f"input >> {source.name}", source.signature.input_type
    if _is_said(takes):
        why = f"{source.name!r} takes {show(takes)}; an input that does not fit is refused before anything is sent"
        return Statement("types", subject, "pydantic checks each input", why, "decided")
    return Statement("types", subject, "unchecked", _missing(source, "takes"), "decided")


def _edge_types(edge: Edge, shape: Shape) -> Statement:
    missing, given = [], given_along(edge, shape)
    if _is_by_emit(edge, given):
        missing.append(
            f"{edge.source.name!r} ({edge.source.where}) chooses with ctx.emit(to=) in each call what goes this way, "
            f"and that is not compared"
        )
    elif edge.source.join is not None and given is list:
        missing.append(f"not all that reaches {edge.source.name!r} has a type")
    elif not (_is_said(given) or _is_by_type(edge)):
        missing.append(_missing(edge.source, "gives"))
    if not _is_said(edge.target.signature.input_type):
        missing.append(_missing(edge.target, "takes"))
    if missing:
        return Statement("types", _name(edge), "unchecked", " and ".join(missing), "decided")
    why = "annotations were compared when the flow was built; values are not checked again on the way"
    if edge.source.signature.context is not None:
        why += ", and what is sent with ctx.emit was not compared"
    return Statement("types", _name(edge), "checked", why, "decided")


def _is_by_emit(edge: Edge, given: Any) -> bool:
    """Whether nothing takes the edge but what is sent there: a way back of no types, or one on that no type is left."""
    return given is None or (edge.back is not None and not edge.back.takes)


def _is_by_type(edge: Edge) -> bool:
    """Whether a switch chooses the edge by a type, which was compared with what its graph takes."""
    return edge.branch is not None and edge.back is None and isinstance(edge.source.code.target[edge.branch], IsA)


def _is_said(annotation: Any) -> bool:
    return is_checked(annotation) and annotation is not object


def _missing(node: NodeSpec, does: str) -> str:
    """Why nobody knows what a node takes or gives."""
    signature, who = node.signature, f"{node.name!r} ({node.where})"
    annotation, unresolved = (
        (signature.input_type, signature.unresolved_input)
        if does == "takes"
        else (signature.output_type, signature.unresolved_output)
    )
    if node.kind == "route":
        if isinstance(node.code.target[0], IsA):
            return f"the default of {node.name!r} takes any type"
        who = f"the first predicate of {who}"
    if node.kind == "join" and node.code.target is None:
        return f"{node.name!r} takes any type"
    if unresolved:
        return f"the annotation {unresolved!r} for what {who} {does} cannot be resolved where it was declared"
    if annotation is not inspect.Parameter.empty:
        return f"{who} {does} {show(annotation)}, which may be anything"
    if node.kind == "route":
        return f"{who} has no annotation"
    if node.options.batch and signature.columns != "list":
        return f"{who} {does} columns, which have no type for a row"
    return f"{who} has no annotation for what it {does}"

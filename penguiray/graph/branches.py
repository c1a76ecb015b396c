"""What the branches of a choosing node are called in everything that a person reads."""

from __future__ import annotations

from penguiray.graph.spec import NodeSpec

__all__ = ["branch_name"]


def branch_name(route: NodeSpec, branch: int) -> str:
    """Name of a branch: what its test says it is, else the name of the predicate, else its number from 1."""
    test = route.code.target[branch]
    name = getattr(test, "branch_name", None) or getattr(test, "__name__", "<lambda>")
    return str(name) if name != "<lambda>" else f"branch {branch + 1}"

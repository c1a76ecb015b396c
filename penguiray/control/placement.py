"""Can a replica be placed, and if not, why. Pure: from what a node asks for and what each host has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penguiray.graph.spec import NodeSpec
from penguiray.plan.needs import needs_of

__all__ = ["Host", "why_not_placed"]


@dataclass(frozen=True, slots=True)
class Host:
    """A host of the cluster."""

    address: str
    """How it is called."""
    total: Mapping[str, float]
    """What it has."""
    free: Mapping[str, float] | None
    """What nobody holds; None if Ray does not say."""
    labels: Mapping[str, str]
    """Its labels."""


def why_not_placed(node: NodeSpec, hosts: Sequence[Host], runs: Sequence[str] = ()) -> tuple[bool, str] | None:
    """Why a replica of the node waits for its place.

    Args:
        node: The first node of its stage.
        hosts: The hosts of the cluster.
        runs: Names of the other runs that have replicas there.

    Returns:
        Whether it could ever be placed on these hosts, and a sentence; None if a host has room for it now.
    """
    needs = needs_of(node)
    labels = dict(node.options.label_selector or {})
    able = [host for host in hosts if _covers(host.total, needs)]
    wanted = ", ".join([*(f"{name} {amount:g}" for name, amount in needs.items()), *_shown(labels)]) or "nothing"
    if not able:
        most = {name: max((host.total.get(name, 0.0) for host in hosts), default=0.0) for name in needs}
        has = ", ".join(f"{name} {amount:g}" for name, amount in most.items())
        any_host = "the one host" if len(hosts) == 1 else f"any of {len(hosts)} hosts"
        return False, (
            f"node {node.name!r} needs {wanted} on one host; the most that {any_host} has is {has}. "
            "Ask for less, or add such a host"
        )
    if labels and not any(_matches(host.labels, labels) for host in able):
        seen = sorted({f"{name}={value}" for host in able for name, value in host.labels.items()})
        return False, (
            f"node {node.name!r} needs {wanted}; no host has these labels (there are: {', '.join(seen) or 'none'}). "
            f"Change label_selector, or add such a host"
        )
    fitting = [host for host in able if _matches(host.labels, labels)]
    if any(host.free is not None and _covers(host.free, needs) for host in fitting):
        return None
    free = "; ".join(f"{host.address} has {_free(host, needs)}" for host in fitting)
    return True, (
        f"node {node.name!r} waits for {wanted}; {free}. The rest is held by other actors and tasks{_among(runs)}: end "
        f"some, or ask for less"
    )


def _among(runs: Sequence[str]) -> str:
    return f", among them those of {', '.join(map(repr, runs))}" if runs else ""


def _free(host: Host, needs: Mapping[str, float]) -> str:
    if host.free is None:
        return ", ".join(f"{name} {host.total[name]:g} in all" for name in needs)
    return ", ".join(f"{name} {host.free.get(name, 0.0):g} of {host.total[name]:g} free" for name in needs)


def _covers(has: Mapping[str, float], needs: Mapping[str, float]) -> bool:
    return all(has.get(name, 0.0) >= amount for name, amount in needs.items())


def _matches(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether plain `name: value` selectors match; Ray's operators (`!`, `in(...)`) are left to Ray."""
    plain = {name: value for name, value in wanted.items() if not value.startswith(("!", "in("))}
    return all(labels.get(name) == value for name, value in plain.items())


def _shown(labels: Mapping[str, str]) -> list[str]:
    return [f"label {name}={value}" for name, value in labels.items()]

"""Runs by name: the first replica of a run bears the run's name in Ray, which lets no second one have it.

It tells whoever asks who the run is. A name is free as soon as that replica has ended, in whatever way.

    {run}/run            the first replica of a run with a name
    {flow}/run/{epoch}   the first replica of a run without one
    {run}/{stage}/{number}/{epoch}   every other replica
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cloudpickle
import ray
from ray.exceptions import ActorAlreadyExistsError, GetTimeoutError, RayActorError

from penguiray.actors.reader import MOST_ATTACHED
from penguiray.actors.session import NAMESPACE
from penguiray.control.lease import LEASE_S
from penguiray.errors import StartError
from penguiray.observe.card import RunCard
from penguiray.plan.plan import Plan

__all__ = ["Admitted", "admit", "claim", "create_again", "lead_name", "others", "replica_name", "runs"]

_ANSWER_S = 3.0
"""How long a first replica may take to say who it is; one that waits for its place says nothing."""
_ADMIT_S = 10.0
"""How long it may take to let a process in. Longer, since one that was let in and does not know it keeps a place from
others until its lease ends."""
_FREE_S = 10.0
"""How long Ray may take to forget the name of an actor that has ended."""
_LEAD = re.compile(r"([^/]+)/run(/[0-9a-f]+)?")


def lead_name(card: RunCard) -> str:
    """Name in Ray of a run's first replica."""
    return f"{card.flow}/run/{card.epoch:x}" if card.name is None else f"{card.name}/run"


def replica_name(card: RunCard, run: str, stage: str, number: int) -> str:
    """Name in Ray of any other replica of a run."""
    return f"{run}/{stage}/{number}/{card.epoch:x}"


def claim(card: RunCard, create: Callable[[], Any]) -> Any:
    """Create the first replica of a run, under the run's name; gives its handle.

    Raises:
        StartError: Another run has the name; says which process started it, when, and what to do.
    """
    until = time.monotonic() + _FREE_S
    while True:
        try:
            return create()
        except ActorAlreadyExistsError:
            _refuse_if_alive(card)
        if time.monotonic() > until:
            raise StartError(f"Ray does not free the name {card.name!r} of a run that has ended", run=card.name or "")
        time.sleep(0.05)


def create_again(create: Callable[[], Any]) -> Any:
    """Create an actor under the name of one that was lost, once Ray has freed it; gives its handle.

    Raises:
        StartError: It does not.
    """
    until = time.monotonic() + _FREE_S
    while True:
        try:
            return create()
        except ActorAlreadyExistsError as error:
            if time.monotonic() > until:
                raise StartError(f"Ray does not free the name of a replica that was lost: {error}") from error
        time.sleep(0.05)


def _refuse_if_alive(card: RunCard) -> None:
    try:
        lead: Any = ray.get_actor(lead_name(card), namespace=NAMESPACE)
        holder, silent_s = ray.get(lead.who.remote(), timeout=_ANSWER_S)
    except (ValueError, RayActorError):
        return  # it has ended, and Ray is about to forget it
    except GetTimeoutError:
        raise StartError(
            f"a run named {card.name!r} is being started already, by a process that cannot be told before its first "
            f"replica has its place. {_advice(card)}",
            run=card.name,
        ) from None
    raise StartError(
        f"a run named {card.name!r} runs already: process {holder.pid} on {holder.host} started it at "
        f"{holder.started}, and was last heard of {silent_s:.0f} s ago. {_advice(card)} The name of a program that "
        f"was killed is free within {LEASE_S:.0f} s",
        run=card.name,
        host=holder.host,
        pid=holder.pid,
        since=holder.since,
    )


def _advice(card: RunCard) -> str:
    return (
        f"Start yours with another name, flow.start(name=...), or stop that run, or use it: pr.attach({card.name!r})."
    )


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a process is given that attaches to a run."""

    card: RunCard
    """Who the run is."""
    plan: Plan
    """What it runs, without the user's code."""
    ingress: int
    """Number of the process in the run; not 0, which is who started it."""
    age_s: float
    """Seconds since the first replica was ready; 0 if it is not yet."""


def admit(name: str) -> Admitted:
    """Ask a run's first replica to let this process in.

    Raises:
        StartError: No run has the name, it cannot answer, or it has let in as many as it can.
    """
    try:
        lead: Any = ray.get_actor(f"{name}/run", namespace=NAMESPACE)
        (card, _), admitted = ray.get([lead.who.remote(), lead.admit.remote()], timeout=_ADMIT_S)
    except (ValueError, RayActorError):
        cards, silent = runs()
        named = sorted({*silent, *(card.name for card in cards if card.name is not None)})
        raise StartError(
            f"no run of this cluster is named {name!r}; "
            + (f"there are: {', '.join(named)}" if named else "no run there has a name"),
            run=name,
        ) from None
    except GetTimeoutError:
        raise StartError(
            f"run {name!r} is being started, and its first replica does not answer yet; attach again later", run=name
        ) from None
    if admitted is None:
        raise StartError(
            f"{MOST_ATTACHED} programs are attached to run {name!r} already, which is the most; let one of them end",
            run=name,
        )
    outline, ingress, age_s = admitted
    return Admitted(card, cloudpickle.loads(outline), ingress, age_s)


def others(card: RunCard) -> list[str]:
    """Names of the runs, this one left out, that have replicas on the cluster."""
    named: Any = ray.util.list_named_actors(all_namespaces=True)
    names = [str(actor["name"]) for actor in named if actor["namespace"] == NAMESPACE]
    mine = lead_name(card), f"/{card.epoch:x}"
    return sorted({name.partition("/")[0] for name in names if name != mine[0] and not name.endswith(mine[1])})


def runs() -> tuple[list[RunCard], list[str]]:
    """The runs of the cluster, oldest first, and the names of those that did not say who they are."""
    asked: dict[Any, str] = {}
    named: Any = ray.util.list_named_actors(all_namespaces=True)  # Ray's type is that of the other form
    for actor in named:
        found = _LEAD.fullmatch(actor["name"]) if actor["namespace"] == NAMESPACE else None
        if found is not None:
            with contextlib.suppress(ValueError):  # it has ended since
                lead: Any = ray.get_actor(actor["name"], namespace=NAMESPACE)
                asked[lead.who.remote()] = found[1]
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER_S) if asked else ([], [])
    cards = []
    for ref in answered:
        with contextlib.suppress(RayActorError):  # it has ended since
            cards.append(ray.get(ref)[0])
    return sorted(cards, key=lambda card: card.since), sorted(asked[ref] for ref in silent)

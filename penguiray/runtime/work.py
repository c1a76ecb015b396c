"""What the workers of a stage have in common: where messages come from, where outputs go, and what a failure is."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from penguiray.clock import Clock
from penguiray.graph.context import Context
from penguiray.link.message import Messages
from penguiray.plan.plan import Stage
from penguiray.runtime.bound import BoundNode, Item
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.executor import Executor
from penguiray.runtime.inbox import Inbox
from penguiray.runtime.layers import GaveUp
from penguiray.runtime.outbox import Outbox

__all__ = ["PARKED_LIMIT", "Bench", "Worker", "execute", "gave_up_on", "item_of", "outputs_of"]

PARKED_LIMIT = 1_000
"""Messages that may wait for another attempt besides those that run, before a worker takes no more."""


@dataclass(frozen=True, slots=True)
class Bench:
    """All that a worker works with."""

    stage: Stage
    nodes: Sequence[BoundNode]
    inbox: Inbox
    outbox: Outbox
    cancelled: Cancelled
    executor: Executor
    clock: Clock
    rng: random.Random


class Worker(Protocol):
    """Takes messages off the inbox until it is closed and empty; ends when all it took is finished."""

    async def run(self) -> None:
        """Work until the end."""
        ...

    def cancel(self) -> None:
        """Inputs were given up: end what can be ended of them. Sync code that runs is left to return."""
        ...

    def held(self) -> Iterator[int]:
        """Ids of the messages that were taken off the inbox and are not finished."""
        ...

    @property
    def has_more(self) -> bool:
        """Whether messages wait, or are worked on, besides those that have just ended."""
        ...

    @property
    def service_s(self) -> float:
        """Mean time for one message with all slots in use, in seconds; 0 if none was worked on."""
        ...

    def wait_s(self, ahead: int) -> float:
        """Seconds until a message would begin that comes behind so many in the inbox; 0 while that is unknown."""
        ...


def item_of(messages: Messages, index: int) -> Item:
    """One message of many."""
    root = messages.roots[index]
    facts = messages.facts.get(root) if messages.facts else None
    deadline = None if facts is None else facts.deadline
    message_id = messages.ids[index]
    hops = messages.hops.get(message_id) if messages.hops else None
    return Item(root, message_id, messages.values[index], facts, deadline, hops=hops)


def outputs_of(result: Any, context: Context | None) -> list[Any]:
    """A call's outputs: what it emitted, then what it returned."""
    emitted = [] if context is None else context.emitted()
    return emitted if result is None else [*emitted, result]


def gave_up_on(outbox: Outbox, item: Item, node: BoundNode, error: BaseException) -> None:
    """Report a message as failed, with the attempts that the retry layer counted."""
    attempt = error.attempt if isinstance(error, GaveUp) else 1
    cause = error.error if isinstance(error, GaveUp) else error
    node.count.failed += 1
    outbox.fail(item, node.spec.name, attempt, cause)


async def execute(node: BoundNode, item: Item, context: Context | None, bench: Bench) -> list[Any]:
    """Call a sync function where user code runs, and give its outputs."""
    return outputs_of(await bench.executor.call(node.call, item, context), context)

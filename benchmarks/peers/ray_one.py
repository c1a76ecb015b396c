"""One Ray actor that runs the three nodes of chain in one call: the least that a question to Ray can take."""

from __future__ import annotations

import asyncio
from typing import Any

import ray

from benchmarks.measure import Measures, latency, latency_async, latency_crowd
from benchmarks.ray_session import ray_session
from benchmarks.workloads import CHAIN, Message


class _Whole:
    """Runs all nodes."""

    def call(self, message: Message) -> Message:
        """One message through the chain."""
        first, second, third = CHAIN
        return third(second(first(message)))


Whole: Any = ray.remote(_Whole)  # Ray's own types lose `.remote` on an actor class.


def run_ping(n: int) -> Measures:
    """Ping: a call and a `ray.get`."""
    with ray_session():
        actor = Whole.remote()
        return latency(lambda message: _ask(actor, message), n)


def run_ping_crowd(n: int) -> Measures:
    """The same in many threads."""
    with ray_session():
        actor = Whole.remote()
        return latency_crowd(lambda message: _ask(actor, message), n)


def run_ping_async(n: int) -> Measures:
    """The same with an awaited reference."""
    with ray_session():
        actor = Whole.remote()

        async def ask(message: Message) -> Message:
            result: Message = await actor.call.remote(message)
            return result

        return asyncio.run(latency_async(ask, n))


def _ask(actor: Any, message: Message) -> Message:
    result: Message = ray.get(actor.call.remote(message))
    return result

"""Ray Serve: three deployments behind one that composes them, asked through a handle; no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from benchmarks.measure import Measures, latency, latency_async, latency_crowd, throughput
from benchmarks.ray_session import ray_session
from benchmarks.workloads import CHAIN, Message


class _Step:
    """Runs one function of chain."""

    def __init__(self, index: int) -> None:
        self._function = CHAIN[index]

    async def __call__(self, message: Message) -> Message:
        """One message through the function."""
        return self._function(message)


class _Pipeline:
    """Passes the response of each step to the next."""

    def __init__(
        self, first: DeploymentHandle[Any], second: DeploymentHandle[Any], third: DeploymentHandle[Any]
    ) -> None:
        self._steps = (first, second, third)

    async def __call__(self, message: Message) -> Message:
        """One message through the three steps."""
        response: Any = message
        for step in self._steps:
            response = step.remote(response)
        result: Message = await response
        return result


# The default of 5 requests at a time makes a burst back off for seconds; four replicas must fit on two CPUs.
_deployed = serve.deployment(max_ongoing_requests=1_000, ray_actor_options={"num_cpus": 0.1})
Step: Any = _deployed(_Step)
Pipeline: Any = _deployed(_Pipeline)


def run_chain(n: int) -> Measures:
    """Chain, all requests made at once."""
    with _pipeline() as handle:

        def run(inputs: Sequence[Message]) -> list[Message]:
            responses = [handle.remote(message) for message in inputs]
            return [response.result() for response in responses]

        return throughput(run, n, moved_by=1)


def run_ping(n: int) -> Measures:
    """Ping by one request at a time."""
    with _pipeline() as handle:
        return latency(lambda message: _ask(handle, message), n)


def run_ping_crowd(n: int) -> Measures:
    """The same in many threads."""
    with _pipeline() as handle:
        return latency_crowd(lambda message: _ask(handle, message), n)


def run_ping_async(n: int) -> Measures:
    """Ping by awaited responses."""
    with _pipeline() as handle:

        async def ask(message: Message) -> Message:
            result: Message = await handle.remote(message)
            return result

        return asyncio.run(latency_async(ask, n))


def _ask(handle: Any, message: Message) -> Message:
    result: Message = handle.remote(message).result()
    return result


@contextmanager
def _pipeline() -> Iterator[Any]:
    with ray_session():
        serve.start(proxy_location="Disabled", logging_config={"log_level": "ERROR", "enable_access_log": False})
        app = Pipeline.bind(*(Step.options(name=f"step{index}").bind(index) for index in range(len(CHAIN))))
        try:
            yield serve.run(app)
        finally:
            serve.shutdown()  # type: ignore[no-untyped-call]  # Ray has no annotation there

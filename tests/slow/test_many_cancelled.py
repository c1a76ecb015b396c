"""Ten thousand traces, of which half are cancelled while they are under way: nothing is left of them anywhere."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from typing import Any

import pytest
import ray
from drivers import measured, until

import penguiray as pr

TRACES = 10_000
PATIENCE_S = 60.0


@pr.node(fuse=False, replicas=2, concurrency=200)
async def wait(number: int) -> int:
    await asyncio.sleep(0.02)
    return number


@pr.node(fuse=False, replicas=1)
def double(number: int) -> int:
    return 2 * number


class Story:
    """What was sent, cancelled, and came."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.cancelled: set[int] = set()
        self.came: dict[int, list[Any]] = {}

    def send(self, run: pr.Run[int, int]) -> None:
        for number in range(TRACES):
            run.send(number, trace_id=str(number))
            self.sent.append(number)

    def cancel(self, run: pr.Run[int, int]) -> None:
        """Cancel every second trace, those that were sent last first, until all are sent."""
        done = 0
        while done < TRACES:
            until_now = len(self.sent)
            for number in range(until_now - 1, done - 1, -1):
                if number % 2 and run.cancel(str(number)):
                    self.cancelled.add(number)
            done = until_now
            time.sleep(0.002)

    def read(self, run: pr.Run[int, int]) -> None:
        for trace, outcome in run.results(with_trace=True, on_error="yield"):
            self.came.setdefault(int(trace), []).append(outcome)

    def wrong(self) -> list[tuple[int, list[Any]]]:
        """Traces with another outcome than the one that each must have."""
        found = []
        for number in range(TRACES):
            came = self.came.get(number, [])
            is_right = came == [2 * number]
            if number in self.cancelled:
                is_right = len(came) == 1 and isinstance(came[0], pr.Cancelled)
            if not is_right:
                found.append((number, came))
        return found


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("streams", [True, False], ids=["streams", "calls"])
def test_ten_thousand_traces_half_of_them_cancelled_leave_nothing_behind(streams: bool) -> None:
    story = Story()
    with pr.Flow(wait >> double, options=pr.FlowOptions(streams=streams)).start() as run:
        engine: Any = run._engine
        began = time.monotonic()
        threads = [threading.Thread(target=act, args=[run]) for act in (story.send, story.cancel, story.read)]
        for thread in threads:
            thread.start()
        threads[0].join(PATIENCE_S)
        threads[1].join(PATIENCE_S)
        until(lambda: run.status().inputs_live, lambda live: live == 0, PATIENCE_S)
        seconds = time.monotonic() - began

        def held() -> list[int]:
            """What replicas have in their hands, or on its way to others."""
            return [one for actor in engine._pool.actors.values() for one in ray.get(actor.held.remote())[1]]

        until(held, lambda ids: not ids, PATIENCE_S)
        ingress = engine.ingress

        def out() -> Counter[str]:
            """Credit that is out, and inputs that are kept or followed."""
            lanes = [lane for to in ingress._sender._stages.values() for lane in to]
            with engine.lock:
                return Counter(
                    messages=sum(link.credit.messages_out for lane in lanes for link in lane.links),
                    nbytes=sum(link.credit.bytes_out for lane in lanes for link in lane.links),
                    queued=ingress._sender.queued,
                    kept=len(ingress._losses._inputs),
                    followed=len(ingress._roots),
                )

        until(out, lambda counts: not any(counts.values()), PATIENCE_S)
    threads[2].join(PATIENCE_S)
    measured(f"{TRACES:,} traces, {len(story.cancelled):,} of them cancelled in time, in {seconds:.1f} s")
    assert story.wrong() == []
    assert len(story.cancelled) > TRACES // 10

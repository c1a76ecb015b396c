"""`run.send` and `run.results`: some send and some read, each at its own time."""

from __future__ import annotations

import asyncio
import operator
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import ValidationError

import penguiray as pr
from penguiray.ingress import exchange, sent

PATIENCE_S = 60.0


@pr.node
def plus_one(x: int) -> int:
    return x + 1


@pr.node
def times(x: int) -> Iterator[int]:
    for _ in range(x):
        yield x


@pr.node
def refuse_odd(x: int) -> int:
    if x % 2:
        raise ValueError(x)
    return x


@pr.node
def seen(x: int, ctx: pr.Context) -> tuple[str, str]:
    return ctx.trace_id, ctx.headers.get("who", "")


@pr.node
async def never(x: int) -> int:
    await asyncio.Event().wait()
    return x


@pytest.mark.usefixtures("engine")
def test_a_reader_that_waits_for_nobody_is_told_once_what_to_use(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exchange, "HINT_S", 0.02)
    with pr.Flow(plus_one).start() as run:
        run.send(1)
        reading = run.results()
        assert next(reading) == 2
        with ThreadPoolExecutor(1) as pool:
            later = pool.submit(next, reading)
            until = time.monotonic() + PATIENCE_S
            while not caplog.messages and time.monotonic() < until:
                time.sleep(0.01)
            run.send(2)
            assert later.result(PATIENCE_S) == 3
        assert run._exchange is not None
        assert run._exchange.patience_s is None
    assert len(caplog.messages) == 1
    assert "all that was sent is done; if nobody else sends on this handle, use results(until_idle=True)" in caplog.text


@pytest.mark.usefixtures("engine")
def test_a_thread_may_send_and_then_read_until_all_is_done() -> None:
    with pr.Flow(plus_one).start() as run:
        for x in range(10):
            run.send(x)
        assert sorted(run.results(until_idle=True)) == list(range(1, 11))
        assert list(run.results(until_idle=True)) == []
        run.send(20)
        assert list(run.results(until_idle=True)) == [21]


@pytest.mark.usefixtures("engine")
def test_one_thread_sends_while_another_reads_until_the_run_drains() -> None:
    with pr.Flow(plus_one).start() as run, ThreadPoolExecutor() as pool:
        reader = pool.submit(lambda: sorted(run.results()))
        trace_ids = [run.send(x) for x in range(3_000)]
        assert len(set(trace_ids)) == 3_000
        run.drain()
        assert reader.result(PATIENCE_S) == list(range(1, 3_001))


@pytest.mark.usefixtures("engine")
def test_several_readers_share_the_results_and_none_is_given_twice() -> None:
    with pr.Flow(times).start() as run, ThreadPoolExecutor() as pool:
        readers = [pool.submit(lambda: list(run.results())) for _ in range(3)]
        for x in [3, 0, 2, 1]:
            run.send(x)
        run.drain()
        assert sorted(x for reader in readers for x in reader.result(PATIENCE_S)) == [1, 2, 2, 3, 3, 3]


@pytest.mark.usefixtures("engine")
def test_a_result_is_matched_to_its_input_by_the_trace_id_that_send_gave() -> None:
    with pr.Flow(seen).start() as run:
        derived = run.send(1, headers={"who": "me"})
        assert run.send(2, trace_id="given") == "given"
        found = dict(run.results(until_idle=True, with_trace=True))
        assert found == {derived: (derived, "me"), "given": ("given", "")}


@pytest.mark.usefixtures("engine")
def test_an_input_that_fails_is_raised_yielded_or_skipped_and_named_by_its_trace_id() -> None:
    with pr.Flow(refuse_odd).start() as run:

        def sent_all() -> dict[str, int]:
            return {run.send(x): x for x in range(4)}

        trace_ids = sent_all()
        given: list[int] = []
        failed: list[tuple[int, type]] = []
        while len(given) + len(failed) < 4:
            results = run.results(until_idle=True)
            try:
                given.append(next(results))
            except pr.NodeError as error:
                failed.append((trace_ids[error.trace_id], type(error.__cause__)))
        assert sorted(given) == [0, 2]
        assert sorted(failed, key=str) == [(1, ValueError), (3, ValueError)]

        trace_ids = sent_all()
        outcomes = dict(run.results(until_idle=True, on_error="yield", with_trace=True))
        kinds = {trace_ids[trace_id]: type(outcome) for trace_id, outcome in outcomes.items()}
        assert kinds == {0: int, 1: pr.NodeError, 2: int, 3: pr.NodeError}

        sent_all()
        assert sorted(run.results(until_idle=True, on_error="skip")) == [0, 2]
        assert len(run.dead_letters()) == 6


@pytest.mark.usefixtures("engine")
def test_leaving_the_loop_over_results_leaves_the_others_to_the_next_reader() -> None:
    with pr.Flow(plus_one).start() as run:
        for x in range(5):
            run.send(x)
        with run.results() as results:
            first = next(results)
        assert sorted([first, *run.results(until_idle=True)]) == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("engine")
def test_an_input_that_does_not_fit_is_refused_by_send() -> None:
    bad: Any = "three"
    with pr.Flow(plus_one).start() as run:
        with pytest.raises(ValidationError):
            run.send(bad)
        with pytest.raises(TypeError, match="headers"):
            run.send(1, headers={"a": bad.count})
        with pytest.raises(pr.FlowError, match="on_error"):
            run.results(on_error=bad)
        assert list(run.results(until_idle=True)) == []


@pytest.mark.usefixtures("engine")
def test_drain_does_not_wait_for_results_to_be_read_and_they_can_be_read_after_it() -> None:
    with pr.Flow(plus_one).start() as run:
        for x in range(100):
            run.send(x)
        run.drain()
        with pytest.raises(pr.RunClosed):
            run.send(1)
        assert sorted(run.results()) == list(range(1, 101))
        assert list(run.results()) == []
    with pr.Flow(plus_one).start() as run:
        pass
    assert list(run.results()) == []


@pytest.mark.usefixtures("engine")
def test_drain_gives_the_sums_of_what_was_sent() -> None:
    total: pr.Node[int, int] = pr.fold(int, operator.add)
    with pr.Flow(plus_one >> total).start() as run:
        for x in range(10):
            run.send(x)
        assert list(run.results(until_idle=True)) == []
    assert list(run.results()) == [55]


def parity(x: int) -> int:
    return x % 2


@pytest.mark.usefixtures("engine")
def test_what_waits_at_a_join_for_other_inputs_holds_up_neither_readers_nor_senders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sent, "LIVE_LIMIT", 2)
    joined = plus_one >> pr.join(3, key=parity, incomplete="partial")
    with pr.Flow(joined).start() as run:
        for x in (0, 2, 4, 1, 3):
            run.send(x)
        assert [sorted(group) for group in run.results(until_idle=True)] == [[1, 3, 5]]
        run.send(5)
        run.send(6)
        assert [sorted(group) for group in run.results(until_idle=True)] == [[2, 4, 6]]
    assert list(run.results()) == [[7]]


@pytest.mark.usefixtures("engine")
def test_stop_wakes_who_sends_and_who_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "LIVE_LIMIT", 3)
    tried = threading.Event()
    with pr.Flow(never).start() as run, ThreadPoolExecutor() as pool:

        def send_on() -> None:
            for x in range(3):
                run.send(x)
            tried.set()
            run.send(4)

        reader = pool.submit(lambda: list(run.results()))
        sender = pool.submit(send_on)
        assert tried.wait(PATIENCE_S)
        run.stop()
        assert isinstance(sender.exception(PATIENCE_S), pr.RunClosed)
        assert isinstance(reader.exception(PATIENCE_S), pr.RunClosed)


@pytest.mark.usefixtures("engine")
def test_a_thread_that_only_sends_is_told_when_too_much_is_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "LIVE_LIMIT", 5)
    monkeypatch.setattr(sent, "UNREAD_LIMIT", 20)
    with pr.Flow(plus_one).start() as run:
        accepted = 0
        with pytest.raises(pr.Overloaded, match="unread and nobody else reads them") as caught:  # noqa: PT012 - a loop
            while True:
                run.send(accepted)
                accepted += 1
        assert caught.value.unread >= 20
        assert caught.value.run == "flow"
        results = run.results()
        given = [next(results) for _ in range(accepted)]
        run.send(accepted)
        given.append(next(results))
        assert sorted(given) == list(range(1, accepted + 2))


@pytest.mark.usefixtures("engine")
def test_a_small_budget_of_the_flow_bounds_what_may_be_unread_too() -> None:
    with pr.Flow(plus_one, options=pr.FlowOptions(max_live_messages=20)).start() as run:
        with pytest.raises(pr.Overloaded):  # noqa: PT012 - a loop
            while True:
                run.send(1)
        assert set(run.results(until_idle=True)) == {2}


@pytest.mark.usefixtures("engine")
def test_what_was_sent_is_cancelled_by_its_trace_id() -> None:
    with pr.Flow(never).start() as run:
        derived, given = run.send(1), run.send(2, trace_id="given")
        assert (run.cancel(given), run.cancel(derived), run.cancel("given")) == (1, 1, 0)
        outcomes = dict(run.results(until_idle=True, on_error="yield", with_trace=True))
        assert {trace_id: type(outcome) for trace_id, outcome in outcomes.items()} == {
            derived: pr.Cancelled,
            given: pr.Cancelled,
        }


@pytest.mark.usefixtures("engine")
def test_a_sender_waits_for_a_reader_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "LIVE_LIMIT", 5)
    monkeypatch.setattr(sent, "UNREAD_LIMIT", 20)
    begun = threading.Event()

    def read(run: pr.Run[int, int]) -> list[int]:
        results = run.results()
        given = [next(results)]
        begun.set()
        return given + list(results)

    with pr.Flow(plus_one).start() as run, ThreadPoolExecutor() as pool:
        reader = pool.submit(read, run)
        run.send(0)
        assert begun.wait(PATIENCE_S)
        for x in range(1, 300):
            run.send(x)
        run.drain()
        assert sorted(reader.result(PATIENCE_S)) == list(range(1, 301))


@pytest.mark.usefixtures("engine")
def test_tasks_send_and_read_like_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent, "LIVE_LIMIT", 5)
    monkeypatch.setattr(sent, "UNREAD_LIMIT", 20)

    async def main() -> None:
        async with pr.Flow(plus_one).start() as run:
            with pytest.raises(pr.Overloaded):  # noqa: PT012 - a loop
                for x in range(1_000):
                    await run.asend(x)
            before = [x async for x in run.aresults(until_idle=True)]
            assert sorted(before) == list(range(1, len(before) + 1))

            async def read() -> list[tuple[str, int]]:
                return [pair async for pair in run.aresults(with_trace=True)]

            reader = asyncio.create_task(read())
            expected = [(await run.asend(0), 1)]
            await asyncio.sleep(0)
            expected += [(await run.asend(x), x + 1) for x in range(1, 200)]
            await run.adrain()
            assert sorted(await reader) == sorted(expected)
            with pytest.raises(pr.RunClosed):
                await run.asend(1)

    asyncio.run(main())


@pytest.mark.usefixtures("engine")
def test_sends_and_maps_of_one_run_do_not_mix() -> None:
    with pr.Flow(plus_one).start() as run:
        run.send(100)
        assert run.collect(range(5), ordered=True) == [1, 2, 3, 4, 5]
        assert run.ask(6) == 7
        assert list(run.results(until_idle=True)) == [101]

"""A run goes on with another version of a node while it works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penguiray as pr

SAFETY_S = 60.0


@pr.node
def half(x: int) -> int:
    return x // 2


@pr.node(fuse=False)
def one_more(x: int) -> int:
    return x + 1


@pr.node(fuse=False)
def ten_more(x: int) -> int:
    return x + 10


@pr.node(fuse=False)
def fails(x: int) -> int:
    raise ValueError(x)


@pr.node
def tripled(x: int) -> int:
    return 3 * x


class Noted:
    """Adds a number, and notes what becomes of it."""

    def __init__(self, by: int, notes: Path | None = None) -> None:
        if by < 0:
            raise ValueError("it cannot be built")
        self.by = by
        self.notes = notes

    def setup(self) -> None:
        self.note("built")

    def __call__(self, x: int) -> int:
        return x + self.by

    def close(self) -> None:
        self.note("closed")

    def note(self, what: str) -> None:
        if self.notes is not None:
            with self.notes.open("a") as notes:
                notes.write(f"{self.by} {what}\n")


noted = pr.actor(fuse=False)(Noted)


@pytest.mark.usefixtures("engine")
def test_a_run_goes_on_with_another_function_under_the_same_name() -> None:
    with pr.Flow(half >> one_more).start() as run:
        assert run.ask(8) == 5
        run.update(one_more, ten_more)
        assert run.ask(8) == 14
        run.update("one_more", one_more)
        assert run.ask(8) == 5
        (count,) = [node.taken for node in run.status().nodes if node.name == "one_more"]
        assert count == 3, "it counts on"


@pytest.mark.usefixtures("engine")
def test_a_node_of_a_fused_chain_is_updated_with_the_others_left_as_they_are() -> None:
    with pr.Flow(half >> one_more.options(fuse=True) >> half.options(name="again")).start() as run:
        assert run.ask(9) == 2
        run.update("one_more", ten_more.options(fuse=True))
        assert run.ask(9) == 7


@pytest.mark.usefixtures("engine")
def test_inputs_under_way_are_finished_by_one_version_or_the_other_and_none_is_lost() -> None:
    def inputs() -> Iterator[int]:
        for x in range(2_000):
            if x in (500, 1_000, 1_500):
                run.update("one_more", ten_more if x != 1_000 else one_more)
            yield x

    with pr.Flow(half.options(replicas=1) >> one_more.options(replicas=1)).start() as run:
        results = list(run.map(inputs(), ordered=True, window=100))
        status = run.status()
    kinds = [result - x // 2 for x, result in enumerate(results)]
    assert set(kinds) == {1, 10}
    assert (kinds[0], kinds[-1]) == (1, 10)
    assert (status.inputs_done, status.inputs_live, status.dead_letters) == (2_000, 0, 0)


@pytest.mark.usefixtures("engine")
def test_the_old_version_is_closed_and_the_new_one_built_before_that(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with pr.Flow(noted.options(replicas=1)(1, notes)).start() as run:
        assert run.ask(1) == 2
        run.update("Noted", noted.options(replicas=1)(2, notes))
        assert run.ask(1) == 3
        assert notes.read_text().split("\n")[:3] == ["1 built", "2 built", "1 closed"]
    assert notes.read_text() == "1 built\n2 built\n1 closed\n2 closed\n"


@pytest.mark.usefixtures("engine")
def test_a_version_that_cannot_be_built_is_told_with_its_cause_and_the_run_goes_on(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with pr.Flow(noted(1, notes)).start() as run:
        with pytest.raises(pr.StartError, match=r"node 'Noted' \(.*\) did not start.*it cannot be built") as caught:
            run.update("Noted", noted(-1, notes))
        assert isinstance(caught.value.__cause__, ValueError)
        assert run.ask(1) == 2
        run.update("Noted", noted(5))
        assert run.ask(1) == 6


class Bad(Noted):
    """Its end fails."""

    def close(self) -> None:
        raise RuntimeError("it cannot be closed")


@pytest.mark.usefixtures("engine")
def test_a_version_whose_close_fails_is_let_go_and_the_run_works_on() -> None:
    bad = pr.actor(replicas=1)(Bad)
    with pr.Flow(bad(1)).start() as run:
        run.update("Bad", pr.actor(replicas=1)(Noted)(2))
        assert run.ask(1) == 3


class Counts:
    """Counts its messages."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, x: int) -> int:
        self.seen += 1
        return self.seen


@pytest.mark.usefixtures("engine")
def test_the_others_of_a_fused_chain_keep_their_objects() -> None:
    with pr.Flow(half.options(replicas=1) >> pr.actor(replicas=1)(Counts)()).start() as run:
        assert [run.ask(1), run.ask(1)] == [1, 2]
        run.update("half", tripled)
        assert run.ask(1) == 3


@pytest.mark.usefixtures("engine")
def test_a_second_update_is_refused_while_one_is_under_way(tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"

    class Waits:
        async def setup(self) -> None:
            begun.touch()
            while not go.exists():
                await asyncio.sleep(0.01)

        def __call__(self, x: int) -> int:
            return x + 5

    async def main() -> int:
        async with pr.Flow(one_more).start() as run:
            first = asyncio.create_task(run.aupdate(one_more, pr.actor(fuse=False)(Waits)()))
            async with asyncio.timeout(SAFETY_S):
                while not begun.exists():
                    await asyncio.sleep(0.01)
            with pytest.raises(pr.FlowError, match="is being updated already"):
                await run.aupdate(one_more, ten_more)
            go.touch()
            await first
            return await run.aask(1)

    assert asyncio.run(main()) == 6


@pytest.mark.usefixtures("engine")
def test_constructor_arguments_of_the_new_version_may_be_large(tmp_path: Path) -> None:
    class Weighted:
        def __init__(self, weights: Any) -> None:
            self.weights = weights

        def __call__(self, x: int) -> int:
            return int(self.weights[x])

    weighted = pr.actor()(Weighted)
    with pr.Flow(weighted(np.arange(100_000))).start() as run:
        assert run.ask(3) == 3
        run.update("Weighted", weighted(np.arange(100_000) * 2))
        assert run.ask(3) == 6


@pr.node(batch=pr.Batch(max_size=4), replicas=1)
def batched(xs: list[int]) -> list[int]:
    return [x + 1 for x in xs]


@pr.node(batch=pr.Batch(max_size=2), replicas=1)
def batched_less(xs: list[int]) -> list[int]:
    assert len(xs) <= 2
    return [x + 10 for x in xs]


@pytest.mark.usefixtures("engine")
def test_a_batch_node_changes_the_size_of_its_batches() -> None:
    with pr.Flow(batched).start() as run:
        assert sorted(run.map(range(10))) == list(range(1, 11))
        run.update(batched, batched_less)
        assert sorted(run.map(range(10))) == list(range(10, 20))


@pytest.mark.usefixtures("engine")
def test_a_new_version_may_have_other_limits_and_its_errors_are_those_of_the_node() -> None:
    with pr.Flow(one_more).start() as run:
        run.update(one_more, fails.options(timeout_s=SAFETY_S))
        with pytest.raises(pr.NodeError, match="node 'one_more' failed"):
            run.ask(1)
        assert run.dead_letters()[0].node == "one_more"


@pytest.mark.usefixtures("engine")
def test_async_code_updates_without_blocking_its_loop() -> None:
    async def main() -> list[int]:
        async with pr.Flow(one_more).start() as run:
            before = await run.aask(1)
            await run.aupdate(one_more, ten_more)
            return [before, await run.aask(1)]

    assert asyncio.run(main()) == [2, 11]


@pytest.mark.usefixtures("engine")
def test_an_update_waits_for_the_call_under_way_and_not_for_those_that_wait(tmp_path: Path) -> None:
    go = tmp_path / "go"

    @pr.node(replicas=1)
    def waits(x: int) -> int:
        while x == 0 and not go.exists():
            threading.Event().wait(0.01)
        return x

    @pr.node(replicas=1)
    def hundred_more(x: int) -> int:
        return x + 100

    with pr.Flow(waits).start() as run:
        for x in range(3):
            run.send(x)
        updating = threading.Thread(target=run.update, args=[waits, hundred_more])
        updating.start()
        go.touch()
        updating.join(SAFETY_S)
        assert not updating.is_alive()
        assert sorted(run.results(until_idle=True)) in ([0, 1, 2], [0, 1, 102], [0, 101, 102])
        assert run.ask(1) == 101


@pytest.mark.usefixtures("engine")
def test_what_cannot_take_a_nodes_place_is_refused_and_nothing_changes() -> None:
    @pr.node(fuse=False)
    async def waiting(x: int) -> int:
        return x

    @pr.node(fuse=False)
    def spread(x: int) -> Iterator[int]:
        yield x

    @pr.node(fuse=False)
    def text(x: int) -> str:
        return str(x)

    lock = threading.Lock()

    @pr.node(fuse=False)
    def locks(x: int) -> int:
        with lock:
            return x

    wrong: Any = one_more.spec
    with pr.Flow(half >> one_more >> half.options(name="again")).start() as run:
        for new, why in (
            (waiting, "node 'one_more' cannot become 'waiting' .*: whether it is async is fixed when a run starts"),
            (spread, "whether it yields its outputs is fixed"),
            (one_more.options(replicas=7), "replicas is fixed when a run starts, and differs .unset runs, 7 is given"),
            (text, "'one_more' .* gives str, but 'again' .* takes int"),
            (locks, "cannot be pickled"),
            (pr.join(2), "is a pr.join, and only functions and classes can be updated"),
            (wrong, "wants a node in the place of the one that runs"),
        ):
            with pytest.raises(pr.FlowError, match=why):
                run.update("one_more", new)
        with pytest.raises(pr.FlowError, match=r"run .* has no node 'one_mor'; did you mean 'one_more'"):
            run.update("one_mor", ten_more)
        with pytest.raises(pr.FlowError, match="inputs are checked against what it is annotated to take"):
            run.update(half, _takes_text)
        assert run.ask(8) == 2
    with pytest.raises(pr.RunClosed):
        run.update("one_more", ten_more)


@pr.node
def _takes_text(x: str) -> int:
    return len(x)


class BuiltLate:
    """Is built when a file is there."""

    def __init__(self, go: Path) -> None:
        while not go.exists():
            threading.Event().wait(0.01)

    def __call__(self, x: int) -> int:
        return x + 10


class Slow:
    """Takes a while, or as long as it may."""

    def __call__(self, x: int) -> int:
        threading.Event().wait(2.0)
        return x


async def accepted(run: pr.Run[int, int]) -> bool:
    """Update a run; whether that was not refused because of another update."""
    try:
        await run.aupdate("Noted", pr.actor(replicas=1)(Slow)())
    except pr.FlowError as error:
        if "being updated already" not in str(error):
            raise
        return False
    return True


@pytest.mark.usefixtures("engine")
def test_an_update_goes_on_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    async def main() -> None:
        go = tmp_path / "go"
        async with pr.Flow(pr.actor(replicas=1)(Noted)(1), name="late").start() as run:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(
                    run.aupdate("Noted", pr.actor(replicas=1, timeout_s=1.0)(BuiltLate)(go)), timeout=0.2
                )
            assert await run.aask(1) == 2
            go.touch()
            async with asyncio.timeout(SAFETY_S):
                while await run.aask(1) != 11:
                    await asyncio.sleep(0.01)
                while not await accepted(run):  # the last replica may not have said yet that it has changed over
                    await asyncio.sleep(0.01)
            with pytest.raises(pr.NodeError, match=r"longer than 1 s"):  # what is unset stays as it was
                await run.aask(1)

    asyncio.run(main())

"""A node's class may prepare a host once, for all its replicas there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import penguiray as pr

REPLICAS = 3


class Model:
    """Notes each step of its life in a file, which the test can read wherever the object lived."""

    def __init__(self, log: str, *, size: str) -> None:
        self.note(log, f"built {size}")

    @classmethod
    def setup_host(cls, log: str, *, size: str) -> None:
        cls.note(log, f"host {size}")

    @staticmethod
    def note(log: str, what: str) -> None:
        with Path(log).open("a") as file:
            file.write(f"{what}\n")

    def __call__(self, x: int) -> int:
        return x


class AsyncModel(Model):
    @classmethod
    async def setup_host(cls, log: str, *, size: str) -> None:  # type: ignore[override]  # both forms are the point
        await asyncio.sleep(0)
        cls.note(log, f"host {size}")


def test_a_host_is_set_up_once_before_any_replica_of_the_node_is_built(engine: str, tmp_path: Path) -> None:
    sync_log, async_log = str(tmp_path / "sync"), str(tmp_path / "async")
    model, async_model = pr.actor(replicas=REPLICAS)(Model), pr.actor(replicas=REPLICAS)(AsyncModel)
    with pr.Flow(pr.fan(model(sync_log, size="small"), async_model(async_log, size="large"))).start() as run:
        assert run.ask_all(1) == [1, 1]
    built = REPLICAS if engine == "ray" else 1
    assert Path(sync_log).read_text().splitlines() == ["host small", *["built small"] * built]
    assert Path(async_log).read_text().splitlines() == ["host large", *["built large"] * built]


class Unreachable(Model):
    @classmethod
    def setup_host(cls, log: str, *, size: str) -> None:
        cls.note(log, "host")
        raise LookupError(f"no model {size}")


@pytest.mark.usefixtures("engine")
def test_a_host_that_cannot_be_set_up_is_a_start_error_and_nothing_is_built(tmp_path: Path) -> None:
    log = tmp_path / "log"
    flow = pr.Flow(pr.actor(replicas=REPLICAS)(Unreachable)(str(log), size="huge"))
    with pytest.raises(pr.StartError, match="Unreachable") as caught, flow.start():
        pass
    assert caught.value.node == "Unreachable"
    assert isinstance(caught.value.__cause__, LookupError)
    assert log.read_text().splitlines() == ["host"]

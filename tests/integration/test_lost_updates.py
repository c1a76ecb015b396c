"""Replicas that are killed while their node is updated, and after that."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from drivers import until
from test_losses import PATIENCE_S, Registered, alive, kill, made

import penguiray as pr


class Old(Registered):
    def __call__(self, x: int) -> tuple[str, int]:
        return "old", x


class New(Registered):
    def __call__(self, x: int) -> tuple[str, int]:
        return "new", x


class Late(New):
    """Is built when a file is there, and notes that it waits for that."""

    def setup(self) -> None:
        (self.folder / f"waits-{os.getpid()}").touch()
        while not (self.folder / "go").exists():
            time.sleep(0.01)


@pytest.mark.usefixtures("ray_cluster")
def test_the_successor_of_a_replica_that_was_updated_has_the_new_version(tmp_path: Path) -> None:
    with pr.Flow(made(Old, tmp_path, replicas=2)).start() as run:
        assert run.ask(1) == ("old", 1)
        run.update("Old", made(New, tmp_path))
        kill(tmp_path, random.Random(1))
        until(lambda: len(alive(tmp_path)), lambda count: count == 2, PATIENCE_S)
        assert set(run.map(range(100))) == {("new", x) for x in range(100)}


@pytest.mark.usefixtures("ray_cluster")
def test_an_update_during_which_a_replica_is_lost_changes_nothing(tmp_path: Path) -> None:
    refused: list[Exception] = []

    def update() -> None:
        try:
            run.update("Old", made(Late, tmp_path))
        except pr.StartError as error:
            refused.append(error)

    with pr.Flow(made(Old, tmp_path, replicas=2)).start() as run:
        updating = threading.Thread(target=update)
        updating.start()
        until(lambda: list(tmp_path.glob("waits-*")), lambda found: len(found) == 2, PATIENCE_S)
        kill(tmp_path, random.Random(1))
        updating.join(PATIENCE_S)
        assert not updating.is_alive()
        assert "a replica was lost meanwhile" in str(refused)
        until(lambda: len(alive(tmp_path)), lambda count: count == 2, PATIENCE_S)
        assert set(run.map(range(100))) == {("old", x) for x in range(100)}
        (tmp_path / "go").touch()
        run.update("Old", made(Late, tmp_path))
        assert set(run.map(range(100))) == {("new", x) for x in range(100)}


class LateOnce(New):
    """One of its replicas waits for a file when it is built."""

    def setup(self) -> None:
        try:
            (self.folder / "first").mkdir()
        except FileExistsError:
            (self.folder / f"built-{os.getpid()}").touch()
            return
        (self.folder / f"waits-{os.getpid()}").touch()
        while not (self.folder / "go").exists():
            time.sleep(0.01)


@pytest.mark.usefixtures("ray_cluster")
def test_an_update_ends_when_a_replica_is_lost_that_had_built_the_new_version_already(tmp_path: Path) -> None:
    refused: list[Exception] = []

    def update() -> None:
        try:
            run.update("Old", made(LateOnce, tmp_path))
        except pr.StartError as error:
            refused.append(error)

    with pr.Flow(made(Old, tmp_path, replicas=2)).start() as run:
        updating = threading.Thread(target=update)
        updating.start()
        (built,) = until(lambda: list(tmp_path.glob("built-*")), bool, PATIENCE_S)
        until(lambda: list(tmp_path.glob("waits-*")), bool, PATIENCE_S)
        os.kill(int(built.name.partition("-")[2]), signal.SIGKILL)
        updating.join(PATIENCE_S)
        assert not updating.is_alive()
        assert "a replica was lost meanwhile" in str(refused)
        until(lambda: len(alive(tmp_path)), lambda count: count == 2, PATIENCE_S)
        assert set(run.map(range(100))) == {("old", x) for x in range(100)}
        (tmp_path / "go").touch()
        run.update("Old", made(New, tmp_path))
        assert set(run.map(range(100))) == {("new", x) for x in range(100)}


class Held(Old):
    """Is built a second time when a file is there: what takes the place of a lost one waits for that."""

    def setup(self) -> None:
        if len(list(self.folder.glob("[0-9]*"))) == 2:
            (self.folder / f"held-{os.getpid()}").touch()
            while not (self.folder / "build").exists():
                time.sleep(0.01)
        super().setup()


@pytest.mark.usefixtures("ray_cluster")
def test_a_successor_that_began_with_a_version_that_was_updated_meanwhile_does_no_work(tmp_path: Path) -> None:
    with pr.Flow(made(Held, tmp_path, replicas=2)).start() as run:
        kill(tmp_path, random.Random(1))
        until(lambda: list(tmp_path.glob("held-*")), bool, PATIENCE_S)
        run.update("Held", made(New, tmp_path))
        (tmp_path / "build").touch()
        results = list[tuple[str, int]]()

        def versions() -> list[str]:
            results.extend(run.map(range(20)))
            return list(alive(tmp_path).values())

        until(versions, lambda found: found == ["New", "New"], PATIENCE_S)
    assert {version for version, _ in results} == {"new"}


@pytest.mark.usefixtures("ray_cluster")
def test_a_successor_that_works_before_an_update_is_done_changes_over_with_the_others(tmp_path: Path) -> None:
    with pr.Flow(made(Held, tmp_path, replicas=2)).start() as run:
        kill(tmp_path, random.Random(1))
        until(lambda: list(tmp_path.glob("held-*")), bool, PATIENCE_S)
        updating = threading.Thread(target=run.update, args=("Held", made(Late, tmp_path)))
        updating.start()
        until(lambda: list(tmp_path.glob("waits-*")), bool, PATIENCE_S)
        (tmp_path / "build").touch()
        until(lambda: list(tmp_path.glob("waits-*")), lambda found: len(found) == 2, PATIENCE_S)
        (tmp_path / "go").touch()
        updating.join(PATIENCE_S)
        assert not updating.is_alive()
        assert set(run.map(range(100))) == {("new", x) for x in range(100)}

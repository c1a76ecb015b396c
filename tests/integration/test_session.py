"""Getting to Ray and onto its hosts: started, joined, not reached; nodes that cannot be placed, or must wait."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from drivers import Driver, folder_for_ray, measured, processes_of, replicas, until, write_script

import penguiray as pr

OWN_RAY = """
    import os, pathlib, sys, time
    import penguiray as pr

    @pr.node
    def environment(name: str) -> str:
        return os.environ.get(name, "unset")

    @pr.node
    def length(text: str) -> int:
        return len(text)

    with pr.Flow(environment, name="own").start() as run:
        print("MODE", run.ask("RAY_AUTH_MODE"))
        print("TOKEN", pr.Flow(environment >> length).collect(["RAY_AUTH_TOKEN"])[0])
        print("READY")
        deadline = time.monotonic() + 60
        while not pathlib.Path(sys.argv[1]).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
"""

FAR_RAY = """
    import time
    import penguiray as pr

    @pr.node
    def same(number: int) -> int:
        return number

    began = time.monotonic()
    try:
        with pr.Flow(same).start(address="127.0.0.1:9") as run:
            run.ask(1)
    except pr.StartError as error:
        print("ERROR", error)
    print("SECONDS", time.monotonic() - began)
"""


def test_a_flow_starts_a_ray_with_a_token_that_only_its_users_programs_find_and_that_ends_with_the_program(
    tmp_path: Path,
) -> None:
    home, mine, go = tmp_path / "home", tmp_path / "mine", tmp_path / "go"
    home.mkdir()
    mine.mkdir()
    users = {"HOME": str(home), "XDG_RUNTIME_DIR": str(mine)}
    without = [name for name in os.environ if name.startswith("RAY_")]
    own_script = write_script(tmp_path, OWN_RAY, "own.py")
    far_script = write_script(tmp_path, FAR_RAY, "far.py")

    with (
        folder_for_ray() as folder,
        Driver(own_script, go, cwd=tmp_path, env={"RAY_TMPDIR": str(folder), **users}, without=without) as own,
        Driver(far_script, cwd=tmp_path, without=without) as far,
    ):
        own.said("READY")
        assert own.said("MODE") == "token"
        assert int(own.said("TOKEN")) >= 32
        assert any("raylet" in line for line in processes_of(folder))

        with Driver("-m", "penguiray.ui.cli", "ls", cwd=tmp_path, env=users, without=without) as ls:
            assert ls.ended(60) == 0, ls.output
        heads, row = (line.split() for line in ls.lines)
        assert heads == ["name", "flow", "host", "pid", "since", "replicas"]
        assert (row[:2], row[3], row[-2]) == (["own", "own"], str(own.process.pid), "environment")
        with Driver("-m", "penguiray.ui.cli", "ls", cwd=tmp_path, env={"HOME": str(home)}, without=without) as other:
            assert other.ended(60) == 1
        assert other.output == (
            "Error: no Ray of yours was found here: name one with address=, --address or RAY_ADDRESS"
        )

        go.touch()
        assert own.ended(20) == 0, own.output
        until(lambda: processes_of(folder), lambda found: found == [], 15)
        assert list(home.rglob("*")) == []
        assert list((mine / "penguiray").iterdir()) == []

        assert far.ended(20) == 0, far.output

        text = far.said("ERROR")
        assert float(far.said("SECONDS")) < 15
        measured(f"a wrong address is told after {float(far.said('SECONDS')):.0f} s")
        assert re.search(r"no Ray could be reached at '127.0.0.1:9' \(nobody listens there.*Check the address", text), (
            text
        )


JOINS = """
    import sys, time
    import penguiray as pr
    import ray

    ray.__version__ = sys.argv[2] or ray.__version__  # the check of the versions is Ray's own

    @pr.node
    def same(number: int) -> int:
        return number

    began = time.monotonic()
    try:
        pr.Flow(same).start(address=sys.argv[1]).ask(1)
    except pr.StartError as error:
        print("ERROR", error)
    print("SECONDS", time.monotonic() - began)
"""


@pytest.fixture(scope="module", autouse=True)
def refused(ray_cluster: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Driver]]:
    """Programs that a cluster does not let in. Ray takes 20 s to say so, which the tests before the last one fill."""
    folder = tmp_path_factory.mktemp("refused")
    script = write_script(folder, JOINS)
    without = [name for name in os.environ if name.startswith("RAY_")]
    with (
        Driver(script, ray_cluster, "", cwd=folder, env={"HOME": str(folder)}, without=without) as stranger,
        Driver(script, ray_cluster, "2.11.0", cwd=folder) as old,
    ):
        yield {"stranger": stranger, "old": old}


HIDES = """
    import sys

    class Hidden:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == {0!r}:
                raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

    sys.meta_path.insert(0, Hidden())
"""


@pr.node
def uses_hypothesis(number: int) -> str:
    return f"{hypothesis.__version__} {number}"


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("package", ["penguiray", "hypothesis"])
def test_a_module_that_workers_cannot_import_is_named_with_how_to_bring_it_there(package: str, tmp_path: Path) -> None:
    write_script(tmp_path, HIDES.format(package), "sitecustomize.py")
    env = {"env_vars": {"PYTHONPATH": str(tmp_path)}}
    run = pr.Flow(uses_hypothesis.options(replicas=1, runtime_env=env), name="lacks").start()
    text = (
        rf"node 'uses_hypothesis' .* did not start: the cluster's workers cannot import '?{package}.*on every host, or"
    )
    with pytest.raises(pr.StartError, match=text) as caught:
        run.wait_ready(timeout_s=25)
    assert caught.value.node == "uses_hypothesis"
    until(lambda: replicas("lacks/"), lambda names: names == [], 5)


class Picky:
    """Starts in one replica only: the others find its mark."""

    def __init__(self, mark: Path) -> None:
        mark.touch(exist_ok=False)

    def __call__(self, number: int) -> int:
        return number


@pytest.mark.usefixtures("ray_cluster")
def test_a_constructor_that_raises_in_some_replicas_only_is_a_start_error_and_nothing_is_left(tmp_path: Path) -> None:
    picky = pr.actor(replicas=3)(Picky)(tmp_path / "mark")
    run = pr.Flow(picky, name="picky").start()
    text = r"node 'Picky' \(test_session:\d+\) did not start in replica [012] of 3: FileExistsError"
    with pytest.raises(pr.StartError, match=text) as caught:
        run.wait_ready(timeout_s=25)
    assert isinstance(caught.value.__cause__, FileExistsError)
    until(lambda: replicas("picky/"), lambda names: names == [], 5)


@pr.node
def same(number: int) -> int:
    return number


TOO_MUCH: list[tuple[dict[str, object], str]] = [
    ({"num_cpus": 1000}, r"needs CPU 1000 on one host; the most that the one host has is CPU 2\."),
    ({"resources": {"abacus": 2}}, r"needs abacus 2 on one host; the most that the one host has is abacus 0\."),
    ({"label_selector": {"zone": "moon"}}, r"needs label zone=moon; no host has these labels"),
]


@pytest.mark.usefixtures("ray_cluster")
def test_a_node_that_has_captured_a_run_is_refused_and_pointed_to_ctx_ask() -> None:
    with pr.Flow(same, name="captured").start(engine="local") as captured:

        @pr.node
        def asks(number: int) -> int:
            return captured.ask(number)

        text = r"'asks' \(test_session:\d+\).*run 'captured' cannot be sent to another process.*ctx\.ask\(flow, value\)"
        with pytest.raises(pr.FlowError, match=text):
            pr.Flow(asks, name="asking").start()


@pytest.mark.usefixtures("ray_cluster")
def test_a_node_that_no_host_can_hold_is_refused_with_what_it_needs_and_what_there_is() -> None:
    flows = [pr.Flow(same.options(replicas=1, **options), name="huge") for options, _ in TOO_MUCH]
    runs = [flow.start(name=f"huge-{number}") for number, flow in enumerate(flows)]

    for run, (_, text) in zip(runs, TOO_MUCH, strict=True):
        with pytest.raises(pr.PlacementError, match=text) as caught:
            run.wait_ready(timeout_s=10)
        assert caught.value.node == "same"

    until(lambda: replicas("huge-"), lambda names: names == [], 5)


@pytest.mark.usefixtures("ray_cluster")
def test_a_node_that_waits_for_its_place_warns_and_starts_when_it_is_free(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "penguiray")
    greedy = same.options(replicas=1, num_cpus=2)

    with pr.Flow(greedy, name="holder").start() as holder:
        caplog.clear()  # on a busy machine the holder itself may have waited, for what has just ended
        waiter = pr.Flow(greedy, name="waiter").start()
        told = until(lambda: [record.getMessage() for record in caplog.records if record.name == "penguiray"], bool, 15)
        assert re.search(r"'same' waits for CPU 2; .* has CPU 0 of 2 free.*among them those of 'holder'", told[0]), told
        assert holder.ask(1) == 1
        with pytest.raises(pr.DeadlineExceeded):
            waiter.ask(2, timeout_s=0.1)

    with waiter:
        assert waiter.ask(3, timeout_s=20) == 3


def test_a_cluster_that_wants_a_token_or_has_another_ray_is_told_in_one_sentence(
    ray_cluster: str, refused: dict[str, Driver]
) -> None:
    old, stranger = refused["old"], refused["stranger"]
    text = old.said("ERROR")
    assert re.match(rf"the cluster at '{ray_cluster}' has Ray 2\.\d+\.\d+ on Python 3\.\S+, and this program", text)
    assert re.search(
        r"has Ray 2\.11\.0 on Python 3\.\S+: both must be the same\. Run this program with Ray 2\.\d+", text
    )
    old_s = float(old.said("SECONDS"))
    text = stranger.said("ERROR")
    assert re.match(rf"something listens at '{ray_cluster}', but did not let this program in", text), text
    assert "RAY_AUTH_MODE is unset here; before the program starts, set RAY_AUTH_MODE=token" in text
    stranger_s = float(stranger.said("SECONDS"))
    assert (old.ended(20), stranger.ended(20)) == (0, 0)
    measured(f"another Ray is told after {old_s:.1f} s, a missing token after {stranger_s:.1f} s")
    assert max(old_s, stranger_s) < 25

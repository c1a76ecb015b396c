"""The demo as a Ray job, on a cluster of its own that the test talks to over HTTP alone."""

from __future__ import annotations

import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from drivers import Driver, folder_for_ray, measured, until


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def dashboard(ray_cluster: str, tmp_path: Path) -> Iterator[str]:
    """Address of the dashboard of a cluster; it has the token of the session's cluster."""
    # Not `ray.init`: its clusters all want one and the same port for the agent that starts jobs.
    ports = {name: free_port() for name in ("port", "dashboard-port", "dashboard-agent-listen-port")}
    options = [f"--{name}={port}" for name, port in ports.items()]
    start = [
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        "--block",
        "--num-cpus=2",
        "--object-store-memory=100000000",
    ]
    with (
        folder_for_ray() as folder,
        Driver(*start, *options, cwd=tmp_path, env={"RAY_TMPDIR": str(folder)}, without=["RAY_ADDRESS"]) as cluster,
    ):
        url = f"http://127.0.0.1:{ports['dashboard-port']}"
        until(lambda: version(url) or cluster.process.poll(), bool, 60)
        yield url
        cluster.process.terminate()
        cluster.ended(30)


def version(url: str) -> str:
    """What the dashboard says of itself; nothing while it is not there."""
    try:
        with urllib.request.urlopen(f"{url}/api/version", timeout=5) as answer:  # noqa: S310 - our own cluster
            return str(answer.read())
    except urllib.error.HTTPError as error:
        return str(error)
    except OSError:
        return ""


def test_the_demo_succeeds_as_a_job_and_its_log_has_the_summary(dashboard: str, tmp_path: Path) -> None:
    from ray.job_submission import JobStatus, JobSubmissionClient

    work = tmp_path / "work"
    work.mkdir()
    (work / "note.txt").write_text("a working directory", encoding="utf-8")
    client = JobSubmissionClient(dashboard)

    entrypoint = f"{sys.executable} -m penguiray.ui.cli demo --limit 40"
    job = client.submit_job(entrypoint=entrypoint, runtime_env={"working_dir": str(work)})

    status = until(lambda: client.get_job_status(job), JobStatus.is_terminal, 120)
    log = client.get_job_logs(job)
    assert status == JobStatus.SUCCEEDED, log
    assert "3 dead letters" in log
    heading, *rows = log[log.index("What each node did") :].splitlines()[1:6]
    assert heading.split() == ["node", "in", "out", "failed", "in/s", "busy"]
    assert [row.split()[0] for row in rows] == ["read", "split", "normalise", "embed"]
    info = client.get_job_info(job)
    measured(f"the job took {((info.end_time or 0) - (info.start_time or 0)) / 1000:.1f} s")

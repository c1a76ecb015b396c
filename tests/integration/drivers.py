"""What the tests of this folder share: programs of their own to start and watch, and what Ray says is there."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from textwrap import dedent
from types import TracebackType
from typing import Any, Self, TypeVar

import penguiray as pr
from penguiray.actors.session import NAMESPACE

__all__ = [
    "Driver", "attached", "bytes_in_store", "folder_for_ray", "is_alive", "measured", "processes_of", "replicas",
    "until", "write_script",
]  # fmt: skip

T = TypeVar("T")


def until(look: Callable[[], T], is_right: Callable[[T], bool], timeout_s: float) -> T:
    """Look until what is seen is right; fails with the last look when the time is over."""
    deadline = time.monotonic() + timeout_s
    while not is_right(seen := look()):
        assert time.monotonic() < deadline, f"still after {timeout_s:g} s: {seen!r}"
        time.sleep(0.05)
    return seen


def attached(name: str, timeout_s: float) -> pr.Run[Any, Any]:
    """The run of that name, as soon as there is one that lets this process in."""

    def attach() -> pr.Run[Any, Any] | str:
        try:
            return pr.attach(name)
        except pr.StartError as error:
            return str(error)

    found = until(attach, lambda found: isinstance(found, pr.Run), timeout_s)
    assert isinstance(found, pr.Run)
    return found


def replicas(flow: str = "") -> list[str]:
    """Names of the replica actors that Ray knows of, of one flow or of all."""
    import ray

    named = ray.util.list_named_actors(all_namespaces=True)
    return sorted(
        actor["name"] for actor in named if actor["namespace"] == NAMESPACE and actor["name"].startswith(flow)
    )


def bytes_in_store() -> int:
    """Bytes of objects that somebody holds, as the host itself counts them."""
    import ray
    from ray._private import internal_api

    state = internal_api.get_state_from_address(ray.get_runtime_context().gcs_address)  # type: ignore[no-untyped-call]
    return int(internal_api.get_memory_info_reply(state).store_stats.object_store_bytes_used)  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def folder_for_ray() -> Iterator[Path]:
    """A folder with a short path, as Ray's sockets want it."""
    folder = Path(tempfile.mkdtemp(prefix="pgr-", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def processes_of(folder: Path) -> list[str]:
    """Command lines of the processes of a Ray in that folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in line:
                found.append(line[:80])
    return found


def measured(figure: str) -> None:
    """Tell a figure; `pytest -s` shows it."""
    sys.stderr.write(f"\nmeasured: {figure}\n")


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def write_script(folder: Path, text: str, name: str = "script.py") -> Path:
    """Write a program; gives its path."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(dedent(text), encoding="utf-8")
    return path


class Driver:
    """A program in a process of its own; killed at the end of its `with` block if it runs then."""

    def __init__(
        self,
        *command: str | Path | int,
        cwd: Path,
        env: dict[str, str] | None = None,
        without: Iterable[str] = (),
    ) -> None:
        """Start Python with these arguments.

        Args:
            command: Script and arguments, or Python's own options.
            cwd: Where it runs.
            env: Variables beside those of this process.
            without: Variables of this process that it does not get.
        """
        wanted = {name: value for name, value in os.environ.items() if name not in set(without)} | (env or {})
        self.lines: list[str] = []
        """What it has written so far, stderr included."""
        self.process = subprocess.Popen(
            [sys.executable, "-u", *map(str, command)],
            cwd=cwd,
            env=wanted,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        """All that it has written so far."""
        return "\n".join(self.lines)

    def said(self, word: str, timeout_s: float = 60) -> str:
        """Wait for the first line that begins with a word; gives the rest of it."""
        deadline = time.monotonic() + timeout_s
        while True:
            has_ended = not self._reader.is_alive()
            for line in list(self.lines):
                if line.startswith(word):
                    return line.removeprefix(word).strip()
            assert not has_ended, f"it ended without saying {word}:\n{self.output}"
            assert time.monotonic() < deadline, f"it did not say {word} within {timeout_s:g} s:\n{self.output}"
            time.sleep(0.02)

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def ended(self, timeout_s: float = 60) -> int:
        """Wait for its end; gives its exit code."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it had not ended after {timeout_s:g} s:\n{self.output}") from None
        self._reader.join(5)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)

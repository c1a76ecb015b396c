"""Plants every small bug that a file can have, one at a time, and says how many its unit tests notice.

`table.py` has bugs that somebody thought of; here are those that nobody did, see `mutate.py`. Each runs in a process of
its own, forked when what the package needs is imported and the package is not, which imports the file with its bug.
What makes no difference to anybody is listed in `equivalent.py`, with the reason.

Two programs that do this were weighed. cosmic-ray starts Python anew for each bug, which takes more than twice as long.
mutmut leaves out decorated functions, so all properties, and what stands outside of functions, such as constants.
Neither keeps a list, with reasons, of what nothing can notice.

A process ends at the first test that fails. One that takes far longer than it should counts as killed, since a hang is
noticed; that is measured in processor time, so that a busy machine kills nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from equivalent import EQUIVALENT
from hypothesis import Phase, settings
from mutate import Planted, planted_in

ROOT = Path(__file__).resolve().parents[2]
ENOUGH = 0.85
"""Share of the bugs in each file that its tests are to notice."""
LIMIT_BYTES = 4 << 30
"""What an endless loop may fill."""
WAIT_S = 120.0
"""How long a process may stand still without using the processor."""
NEEDED = (
    "asyncio", "click", "cloudpickle", "numpy", "pyarrow", "pydantic", "concurrent.futures", "multiprocessing",
    "hypothesis.strategies", "hypothesis.internal.conjecture.engine", "_pytest.assertion.rewrite",
)  # fmt: skip
"""Imported once, for all processes."""


@dataclass(frozen=True)
class Part:
    """A file, or some functions of it, with its tests."""

    file: str
    """The file, in the package."""
    tests: tuple[str, ...]
    """Its tests, in `tests/unit`: those that fail first come first."""
    only: tuple[str, ...] = ()
    """The functions that are meant; empty: all."""


PARTS = (
    Part("link/credit.py", ("link/test_credit.py", "link/test_sender.py")),
    Part("link/ledger.py", ("link/test_ledger.py", "ingress/test_roots.py")),
    Part("link/ids.py", ("link/test_ids.py",)),
    Part("link/key_groups.py", ("link/test_key_groups.py", "link/test_sender.py")),
    Part("link/lanes.py", ("link/test_sender.py", "link/test_sharing.py", "link/test_depth.py")),
    Part("link/choice.py", ("link/test_choice.py", "link/test_sharing.py")),
    Part("link/order.py", ("link/test_order.py",)),
    Part("link/sender.py", ("link/test_sender.py",)),
    Part("ingress/roots.py", ("ingress/test_roots.py", "ingress/test_sent_again.py")),
    Part("ingress/losses.py", ("ingress/test_sent_again.py", "ingress/test_recovery.py")),
    Part("ingress/replays.py", ("ingress/test_replays.py",)),
    Part("runtime/keys.py", ("runtime/test_keys.py",)),
    Part("plan/plan.py", ("plan/test_plan.py",), ("goes_along", "Plan.unrepeatable", "Plan.begins_anew", "Plan.once")),
)


class Buggy(SourceFileLoader):
    """Finds one module of the package, and gives it with its bug."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def find_spec(self, fullname: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        return (
            importlib.util.spec_from_file_location(fullname, self.path, loader=self) if fullname == self.name else None
        )


def run(part: Part, code: CodeType, cpu_s: float, *, quiet: bool = True) -> int:
    """Start the tests of a file in a process of their own; gives its number."""
    if child := os.fork():
        return child
    status = 70
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s), int(cpu_s) + 1))
        resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))
        os.setpgid(0, 0)
        if quiet:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
        name = "penguiray." + part.file.removesuffix(".py").replace("/", ".")
        sys.meta_path.insert(0, Buggy(name, str(ROOT / "penguiray" / part.file), code))
        tests = [f"tests/unit/{test}" for test in part.tests]
        options = ["-q", "-x", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile=mutants"]
        options += ["--assert=plain"]  # else pytest would import the package in a way of its own
        status = int(pytest.main([*options, *tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


@dataclass
class Running:
    """A process, and when it is given up on."""

    planted: Planted
    pid: int
    deadline: float
    status: int | None = None

    def has_ended(self) -> bool:
        """Whether it has; ends it where it stands still."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
        elif time.monotonic() > self.deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.deadline += WAIT_S
        return self.status is not None


@dataclass
class Count:
    """What became of the bugs of a file."""

    part: Part
    killed: int = 0
    survived: list[Planted] = field(default_factory=list)
    equal: list[Planted] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.killed + len(self.survived) + len(self.equal)

    @property
    def share(self) -> float:
        """Killed, of all: also of those that make no difference, which nothing can kill."""
        return self.killed / self.total if self.total else 0.0


def key_of(part: Part, planted: Planted) -> tuple[str, str, str, str]:
    return part.file, planted.where, planted.before, planted.after


def seconds_of(part: Part, source: str, path: str) -> float:
    """What the tests of a file take of the processor without a bug; ends the program if they cannot tell one."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _, status = os.waitpid(run(part, compile(source, path, "exec"), 600.0, quiet=False), 0)
    if status:
        sys.exit(f"{part.file}: its tests fail without a bug")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    _, status = os.waitpid(run(part, compile("raise SystemError", path, "exec"), 600.0), 0)
    if not status:
        sys.exit(f"{part.file}: its tests pass without it, so they do not get the file with the bug")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def count_of(part: Part, processes: int) -> Count:
    """Plant all bugs of a file."""
    path = ROOT / "penguiray" / part.file
    source, count = path.read_text(encoding="utf-8"), Count(part)
    cpu_s = 5.0 + 4 * seconds_of(part, source, str(path))
    waiting = [one for one in planted_in(source, str(path)) if _is_meant(part, one)]
    for done in _each(part, waiting, cpu_s, processes):
        if done.status:
            count.killed += 1
        elif key_of(part, done.planted) in EQUIVALENT:
            count.equal.append(done.planted)
        else:
            count.survived.append(done.planted)
    found = {key_of(part, one) for one in count.equal}
    listed = [key for key in EQUIVALENT if key[0] == part.file and key not in found]
    count.notes += [f"listed as without a difference, and killed or not there any more: {key}" for key in listed]
    return count


def _is_meant(part: Part, planted: Planted) -> bool:
    return not part.only or any(
        planted.where.split(".")[: name.count(".") + 1] == name.split(".") for name in part.only
    )


def _each(part: Part, waiting: Sequence[Planted], cpu_s: float, processes: int) -> Iterator[Running]:
    rest, running = list(reversed(waiting)), list[Running]()
    while rest or running:
        while rest and len(running) < processes:
            planted = rest.pop()
            running.append(Running(planted, run(part, planted.code, cpu_s), time.monotonic() + cpu_s + WAIT_S))
        ended = [one for one in running if one.has_ended()]
        running = [one for one in running if one.status is None]
        yield from ended
        if not ended:
            time.sleep(0.01)


def say(text: str) -> None:
    """Print a line now, not when the buffer is full."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def shown(part: Part, planted: Planted) -> str:
    """A bug as two lines."""
    return f"penguiray/{part.file}:{planted.line} in {planted.where}\n    - {planted.before}\n    + {planted.after}"


def main() -> int:
    """Plant the bugs of all files, or of those named; 1 if a file's tests miss too many."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="files, by a part of their names; all by default")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many run at a time")
    asked = parser.parse_args()
    os.chdir(ROOT)
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    phases = (Phase.explicit, Phase.generate)  # nobody reads the example, so none is made small
    settings.register_profile("mutants", deadline=None, derandomize=True, database=None, phases=phases)
    for name in NEEDED:
        importlib.import_module(name)
    begun, counts = time.monotonic(), list[Count]()
    for part in PARTS:
        if not asked.files or any(name in part.file for name in asked.files):
            counts.append(count_of(part, asked.processes))
            for survivor in counts[-1].survived:
                say(f"SURVIVED {shown(part, survivor)}")
            for note in counts[-1].notes:
                say(f"{part.file}: {note}")
    if not counts:
        parser.error(f"no file has such a name: {asked.files}")
    say(f"{'file':24}{'bugs':>6}{'killed':>8}{'share':>8}{'no difference':>15}{'survived':>10}")
    for count in counts:
        share = f"{count.share:.1%}"
        say(
            f"{count.part.file:24}{count.total:6}{count.killed:8}{share:>8}{len(count.equal):15}{len(count.survived):10}"
        )
    killed, total = (sum(figures) for figures in zip(*((one.killed, one.total) for one in counts), strict=True))
    say(f"{killed} of {total} killed, {killed / total:.1%}, in {time.monotonic() - begun:.0f} s")
    return int(any(count.share < ENOUGH or count.notes for count in counts))


if __name__ == "__main__":
    sys.exit(main())

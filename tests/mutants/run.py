"""Plants the bugs of `table.py` one at a time and says which no test notices.

Each run has a copy of the package and of the tests to itself. The tests that a mutant names are asked first, then all
that need no Ray; a run that takes too long counts as caught, since a hang is noticed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("unit", "property", "conformance")
NAMED_S = 60.0
"""Longest that a mutant's own tests may take; they take seconds."""
QUICK_S = 600.0
"""Longest that all quick tests may take."""


def copied(folder: Path) -> None:
    """A copy of all that the tests read."""
    unwanted = shutil.ignore_patterns("__pycache__", "mutants", "test_mutants.py")  # that one reads the table itself
    for name in ("penguiray", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)


def fails(folder: Path, tests: tuple[str, ...], limit_s: float) -> str:
    """How the tests fail on the copy; empty if they pass."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",  # a stale one might pass for the code of a mutant of the same second
        "CONFORMANCE_ENGINE": "local",
    }
    paths = [f"tests/{name}" for name in tests]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=no", *paths]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as tested:
        try:
            output, _ = tested.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            tested.kill()
            return f"not done after {limit_s:g} s"
    if tested.returncode == 0:
        return ""
    failed = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].removeprefix("FAILED ").partition(" - ")[0] if failed else output[-500:]


def outcome(mutant: Mutant, folder: Path) -> tuple[bool, str]:
    """Whether a mutant is caught, and by what; the copy is mended afterwards."""
    file = folder / "penguiray" / mutant.file
    original = file.read_text(encoding="utf-8") if file.exists() else ""
    if (times := original.count(mutant.snippet)) != 1:
        return False, f"does not apply: its snippet occurs {times} times in {mutant.file}"
    file.write_text(original.replace(mutant.snippet, mutant.replacement), encoding="utf-8")
    try:
        if by := fails(folder, mutant.tests, NAMED_S):
            return True, f"caught by {by}"
        by = fails(folder, QUICK, QUICK_S)
        if by and (not by.startswith("tests/") or fails(folder, (by.removeprefix("tests/"),), NAMED_S)):
            return True, f"caught late, by {by}"
        return False, "SURVIVED" + (f"; {by} failed once, and passed when it was asked again" if by else "")
    finally:
        file.write_text(original, encoding="utf-8")


def say(text: str) -> None:
    """Print a line now, not when the buffer is full."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run all mutants, or those of the parts that are named; 1 if one survives or does not apply."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="parts to plant bugs in; all by default")
    wanted = parser.parse_args().parts
    mutants = [mutant for mutant in MUTANTS if not wanted or mutant.part in wanted]
    begun, bad = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="penguiray-mutants-") as name:
        folder = Path(name)
        copied(folder)
        if by := fails(folder, QUICK, QUICK_S):
            say(f"the tests fail without a mutant: {by}")
            return 1
        for mutant in mutants:
            is_caught, text = outcome(mutant, folder)
            bad += not is_caught
            say(f"{'ok ' if is_caught else 'BAD'} {mutant.part}: {mutant.breaks}: {text}")
    say(f"{len(mutants)} mutants, {len(mutants) - bad} caught, {bad} not, in {time.monotonic() - begun:.0f} s")
    return int(bool(bad) or not mutants)


if __name__ == "__main__":
    sys.exit(main())

"""Run the tests that need no Ray on every Python from 3.11 on that this machine has.

Each gets a virtual environment of its own, `.venv-3.12` for instance, with what the local engine needs and not Ray, so
these tests also show that the local engine does without it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
NEEDS = ("click", "cloudpickle", "hypothesis", "numpy", "pyarrow", "pydantic", "pytest")
TESTS = ("tests/unit", "tests/property", "tests/conformance")
ROOT = Path(__file__).resolve().parent.parent


def found() -> dict[tuple[int, int], str]:
    """One interpreter for each minor version, from the path and from pyenv."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"))
    versions: dict[tuple[int, int], str] = {}
    for folder in folders:
        for python in sorted(folder.glob("python3*")):
            if re.fullmatch(r"python3(\.\d+)?", python.name):
                version = version_of(python)
                if version is not None and version >= OLDEST:
                    versions.setdefault(version, str(python))
    return dict(sorted(versions.items()))


def version_of(python: Path) -> tuple[int, int] | None:
    """Version of an interpreter; None if it does not run, as a shim of a version that is not chosen does not."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    answer = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        return None
    major, minor = answer.stdout.split()
    return int(major), int(minor)


def test(version: tuple[int, int], python: str) -> int:
    """Set up one interpreter and run the tests on it."""
    name = ".".join(map(str, version))
    folder = ROOT / f".venv-{name}"
    inside = str(folder / "bin" / "python")
    sys.stdout.write(f"== Python {name}\n")
    sys.stdout.flush()
    if not Path(inside).exists():
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    pip = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *NEEDS], check=True)
    subprocess.run([*pip, "--no-deps", "--editable", str(ROOT)], check=True)
    environment = {**os.environ, "CONFORMANCE_ENGINE": "local", "SEEDS": "10", "LOSSY_SEEDS": "40"}
    command = [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def main() -> int:
    """Run all; the exit code is that of the first that failed."""
    interpreters = found()
    if not interpreters:
        sys.exit("no Python from 3.11 on was found")
    codes = {version: test(version, python) for version, python in interpreters.items()}
    for version, code in codes.items():
        sys.stdout.write(f"Python {'.'.join(map(str, version))}: {'passed' if code == 0 else f'failed ({code})'}\n")
    return next((code for code in codes.values() if code), 0)


if __name__ == "__main__":
    sys.exit(main())

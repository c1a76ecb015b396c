"""Where and with what a figure was made: enough to compare, nothing that names the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["describe", "fingerprint"]

_PACKAGES = ("ray", "penguiflow", "pydantic", "numpy", "pyarrow")


def fingerprint() -> dict[str, str | int | float]:
    """CPU, cores, memory, kernel, versions, date and commit."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        **{package: _version(package) for package in _PACKAGES},
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": _commit(),
    }


def describe(host: dict[str, str | int | float]) -> str:
    """A fingerprint as one sentence."""
    packages = ", ".join(f"{package} {host[package]}" for package in _PACKAGES)
    return (
        f"{host['date']}, commit {host['commit']}; {host['cpu']}, {host['cores']} cores, {host['memory_gib']} GiB, "
        f"{host['kernel']}; Python {host['python']}, {packages}."
    )


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _commit() -> str:
    commit = _git("rev-parse", "--short", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", "penguiray", "benchmarks/*.py")
    return f"{commit or 'unknown'}{' with changes' if changes else ''}"


def _git(*arguments: str) -> str:
    folder = Path(__file__).resolve().parent.parent
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 - the user's git
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

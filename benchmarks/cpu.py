"""CPU time of this process and of all that it has started, as Linux counts it: all threads, in steps of 10 ms."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CpuTime", "cpu_time"]

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _SYSTEM = 1, 11, 12
"""Places in /proc/PID/stat, counted behind the name of the command. Source: proc_pid_stat(5)."""


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Seconds since each process began."""

    driver_s: float
    """This process."""
    workers_s: float
    """Processes that run nodes: Ray's workers, actors among them, and bare ones."""
    services_s: float
    """Ray's own: raylet, GCS and agents."""

    def each_us(self, before: CpuTime, n: int) -> dict[str, float]:
        """Microseconds for each of n messages since then, as measures; `cpu_us` is driver and workers together."""
        driver, workers, services = (
            (now - then) / n * 1e6
            for now, then in (
                (self.driver_s, before.driver_s),
                (self.workers_s, before.workers_s),
                (self.services_s, before.services_s),
            )
        )
        return {
            "cpu_us": driver + workers,
            "driver_cpu_us": driver,
            "workers_cpu_us": workers,
            "services_cpu_us": services,
        }


def cpu_time() -> CpuTime:
    """CPU time up to now. A process that has ended no longer counts, so ask while all are alive."""
    found = {pid: (parent, used_s) for pid, parent, used_s in _processes()}
    workers_s = services_s = 0.0
    for pid in _offspring({pid: parent for pid, (parent, _) in found.items()}, os.getpid()):
        if _is_service(pid):
            services_s += found[pid][1]
        else:
            workers_s += found[pid][1]
    return CpuTime(found[os.getpid()][1], workers_s, services_s)


def _processes() -> Iterator[tuple[int, int, float]]:
    """Process, parent and CPU seconds of all."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            yield int(folder.name), int(fields[_PARENT]), (int(fields[_USER]) + int(fields[_SYSTEM])) * _TICK_S


def _offspring(parents: dict[int, int], root: int) -> Iterator[int]:
    for pid, parent in parents.items():
        if parent == root:
            yield pid
            yield from _offspring(parents, pid)


def _is_service(pid: int) -> bool:
    """Whether Ray runs it for itself; its workers call themselves `ray::...`."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return not command.startswith(b"ray::") and b"/ray/" in command

"""Whether a process of this host computes, seen from outside: what holds the interpreter cannot answer, and yet works.

Linux tells it in `/proc/<pid>/stat`; elsewhere nothing is known.
Source: proc_pid_stat(5), fields state, utime and stime.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["Pulse"]

_RUNS = {"R", "t"}
"""Running, or ready to run on a busy host; or held by a debugger, which is nobody's fault."""


class Pulse:
    """Remembers how much each process had computed when it was looked at before."""

    def __init__(self) -> None:
        self._ticks: dict[int, int] = {}

    def computes(self, pid: int) -> bool:
        """Whether the process runs at this moment, or has used the CPU since the last look; False if nobody knows."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        fields = stat.rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        before = self._ticks.get(pid)
        self._ticks[pid] = ticks
        return fields[0] in _RUNS or (before is not None and ticks > before)

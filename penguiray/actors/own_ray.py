"""How another terminal finds a Ray that a program has started: a note with its address and its token.

A note is a file that only its user can read, in a folder that only this user can enter: `penguiray` in
`XDG_RUNTIME_DIR`, else `penguiray-<user id>` among the temporary files. It goes with its program; that of a program
which was killed is removed by whoever looks next. Loads no ray: a token must be set before that.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import stat
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["OwnRay", "leave_note", "notes"]

_log = logging.getLogger("penguiray")


@dataclass(frozen=True, slots=True)
class OwnRay:
    """A Ray on this host that a program of this user has started."""

    address: str
    """Where it is."""
    mode: str
    """Its `RAY_AUTH_MODE`."""
    token: str | None = field(repr=False)
    """The token that was drawn for it; None if it uses one that its user has set."""
    pid: int
    """Process of the program."""
    ticks: str
    """When that process began, as the kernel counts; tells it from a later one of the same id."""
    since: float
    """When its Ray was started, in seconds of Unix time."""
    program: str
    """What the program is called."""


def leave_note(address: str, *, mode: str, token: str | None) -> None:
    """Write down that this process has started a Ray; the note is removed when the program ends.

    Where it cannot be kept from other users it is not written, and a warning says so.
    """
    own = OwnRay(address, mode, token, os.getpid(), _ticks(os.getpid()), time.time(), Path(sys.argv[0]).name)
    folder = _folder()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _is_private(folder):
            raise PermissionError(f"other users can enter {folder}")
        path, new = folder / f"{own.pid}.json", folder / f"{own.pid}.new"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as out:
            json.dump(asdict(own), out)
        new.replace(path)
    except OSError as error:
        _log.warning("penguiray ls and pr.attach will not find the Ray of this program by themselves: %s", error)
    else:
        atexit.register(_remove, path, own.pid)


def _remove(path: Path, pid: int) -> None:
    if os.getpid() == pid:
        path.unlink(missing_ok=True)


def notes() -> list[OwnRay]:
    """The notes of programs that run, oldest first."""
    folder, found = _folder(), []
    if not folder.is_dir() or not _is_private(folder):
        return []
    for path in folder.glob("*.json"):
        with contextlib.suppress(FileNotFoundError):  # its program has ended at this moment
            own = OwnRay(**json.loads(path.read_text(encoding="utf-8")))
            if _ticks(own.pid) == own.ticks:
                found.append(own)
            else:
                path.unlink()
    return sorted(found, key=lambda own: own.since)


def _folder() -> Path:
    given = os.environ.get("XDG_RUNTIME_DIR")
    return Path(given) / "penguiray" if given else Path(tempfile.gettempdir()) / f"penguiray-{os.getuid()}"


def _is_private(folder: Path) -> bool:
    """Whether it is this user's own folder, no link to one, and closed to everybody else."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _ticks(pid: int) -> str:
    """When a process began; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""

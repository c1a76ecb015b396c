"""Which modules the job looks at, and their text."""

import importlib.util
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

import penguiray as pr

__all__ = ["Module", "ModuleFile", "broken_files", "read", "stdlib_files"]

_LEFT_OUT = frozenset({"test", "tests", "idle_test", "lib2to3", "site-packages", "dist-packages", "__pycache__"})
"""Folders whose modules are no part of the library proper, or are kept out of date on purpose."""


class ModuleFile(BaseModel):
    """A module that may be read."""

    file: str
    """Where it is within the standard library, with `/` between folders; the name that people see."""
    path: str
    """Where it is on this machine."""


class Module(BaseModel):
    """A module that was read."""

    file: str
    """As in `ModuleFile`."""
    text: str
    """Its source, with `\\n` at the ends of lines."""


def stdlib_files(limit: int | None = None) -> list[ModuleFile]:
    """Modules of this Python's standard library, by name, without its tests and `lib2to3`.

    Args:
        limit: Only the first so many; None gives all.
    """
    root = Path(sysconfig.get_path("stdlib"))
    found = sorted(path.relative_to(root).as_posix() for path in _python_files(root))
    return [ModuleFile(file=file, path=str(root / file)) for file in found[:limit]]


def _python_files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*.py") if _LEFT_OUT.isdisjoint(path.relative_to(root).parts))


def broken_files() -> list[ModuleFile]:
    """Three files that no Python can read; each ends as a dead letter."""
    folder = Path(__file__).parent / "broken"
    return [ModuleFile(file=f"broken/{path.name}", path=str(path)) for path in sorted(folder.glob("*.py.txt"))]


@pr.node
def read(module: ModuleFile) -> Module:
    """Read a module's source.

    Raises:
        UnicodeDecodeError: The file is not in the encoding that it declares.
        OSError: The file cannot be read.
    """
    return Module(file=module.file, text=importlib.util.decode_source(Path(module.path).read_bytes()))

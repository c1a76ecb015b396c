"""How a user's function or class travels to replicas: by name where they can import it, else by value.

By name is quick and drags nothing along; it works for modules that are installed. By value is for `__main__`,
notebooks and modules that lie beside the script, which a worker on another host cannot import.
"""

from __future__ import annotations

import functools
import importlib
import site
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["Code", "by_name", "called_from", "describe", "is_importable_by_workers", "modules_by_value"]


@functools.cache
def _library_roots() -> tuple[Path, ...]:
    """Folders of installed libraries and of the standard library."""
    names = {"stdlib", "platstdlib", "purelib", "platlib"}
    roots = {Path(path) for name, path in sysconfig.get_paths().items() if name in names}
    roots.update(Path(path) for path in (*site.getsitepackages(), site.getusersitepackages()))
    return tuple(root.resolve() for root in roots if root.is_dir())


@functools.cache
def _linked_roots() -> tuple[Path, ...]:
    """Folders that `.pth` files add to the path of every process: packages installed in place, for development."""
    lines = (
        line
        for root in _library_roots()
        for pth in root.glob("*.pth")
        for line in pth.read_text(encoding="utf-8", errors="replace").splitlines()
    )
    return tuple(Path(line).resolve() for line in lines if line.startswith("/") and Path(line).is_dir())


def is_importable_by_workers(module_name: str) -> bool:
    """Whether a worker can import the module by its name: it is built in, or installed where this name says."""
    module = sys.modules.get(module_name)
    if module is None or module_name == "__main__":
        return False
    path = getattr(module, "__file__", None)
    if path is None:
        return getattr(module, "__spec__", None) is not None
    return module_name.partition(".")[0] == "penguiray" or _is_installed_as(module_name, path)


@functools.cache
def _is_installed_as(module_name: str, path: str) -> bool:
    here = Path(path).resolve()
    if here.suffix not in {".py", ".pyc"} or any(here.is_relative_to(root) for root in _library_roots()):
        return True
    steps = Path(*module_name.split("."))
    wanted = (steps.with_suffix(here.suffix), steps / f"__init__{here.suffix}")
    return any(here == root / step for root in _linked_roots() for step in wanted)


def modules_by_value() -> list[str]:
    """Names of the loaded modules that have a file and cannot be imported by workers, `__main__` left out."""
    loaded = {
        name
        for name, module in list(sys.modules.items())
        if name != "__main__" and getattr(module, "__file__", None) and getattr(module, "__name__", "") == name
    }
    return sorted(name for name in loaded if not is_importable_by_workers(name))


def describe(code: Any) -> str:
    """Where the user wrote it, as `module:line`; just the module where no source is known."""
    module = getattr(code, "__module__", "?")
    try:
        line = code.__code__.co_firstlineno
    except AttributeError:
        line = _class_line(code)
    return f"{module}:{line}" if line else str(module)


def called_from() -> str:
    """Where the user called penguiray, as `module:line`: for nodes that are made of no function of the user's."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the only way to the caller's line
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "penguiray":
        frame = frame.f_back
    return "?" if frame is None else f"{frame.f_globals.get('__name__', '?')}:{frame.f_lineno}"


def _class_line(code: Any) -> int | None:
    methods = (value for value in vars(code).values() if hasattr(value, "__code__")) if isinstance(code, type) else ()
    first = next(iter(methods), None)
    return None if first is None else int(first.__code__.co_firstlineno)


class Code:
    """A function or class of the user, with its own way of travelling.

    A decorated name no longer holds the bare function, so pickle alone would take it for a stranger and send it by
    value with every global that it reads. `Code` sends the name, and takes the bare function off whatever it finds.
    """

    __slots__ = ("target",)

    def __init__(self, target: Any) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        names = _names(self.target)
        if names is not None and getattr(_find(*names), "__wrapped__", _find(*names)) is self.target:
            return _load_code, names
        return Code, (self.target,)


def by_name(decorated: Any) -> tuple[Any, ...] | None:
    """How pickle is told to fetch a decorated object under its name, or None where workers would not find it."""
    names = _names(decorated)
    return (_load, names) if names is not None and _find(*names) is decorated else None


def _names(thing: Any) -> tuple[str, str] | None:
    module, qualname = getattr(thing, "__module__", ""), getattr(thing, "__qualname__", "")
    if not qualname or "<locals>" in qualname or not is_importable_by_workers(module):
        return None
    return module, qualname


def _find(module: str, qualname: str) -> Any:
    found: Any = sys.modules.get(module)
    for name in qualname.split("."):
        found = getattr(found, name, None)
    return found


def _load(module: str, qualname: str) -> Any:
    importlib.import_module(module)
    return _find(module, qualname)


def _load_code(module: str, qualname: str) -> Code:
    found = _load(module, qualname)
    return Code(getattr(found, "__wrapped__", found))

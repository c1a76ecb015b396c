"""How user code is pickled by value: as cloudpickle does it, with the name of the file that each piece was written in.

A traceback shows a line of code only if the code knows its file. Cloudpickle keeps the name up to 3.1.2, and from 3.1.3
on writes "<dynamic-code>" in its place.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from types import CodeType
from typing import Any

import cloudpickle

__all__ = ["Pickler", "dumps"]

_PROTOCOL = 5


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle is untyped
    """Cloudpickle's pickler, whose code keeps its file names; `pickle.loads` reads what it writes.

    Equal file names give equal bytes, whichever of them are one object: classes are named by a hash of the bytes.

    Args:
        file: Where to write; has a method `write`.
        buffer_callback: As in `pickle`: told of each buffer, says whether it stays inside. None: all do.
    """

    def __init__(self, file: Any, buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None) -> None:
        super().__init__(file, protocol=_PROTOCOL, buffer_callback=buffer_callback)
        self._file_names: dict[str, str] = {}

    def reducer_override(self, obj: Any) -> Any:
        """How to reduce an object; see `pickle`. Code our way, all else as cloudpickle has it."""
        return self._reduce_code(obj) if type(obj) is CodeType else super().reducer_override(obj)

    def _reduce_code(self, code: CodeType) -> tuple[Any, ...]:
        # A string that comes again is written in short if it is the same object. So each name is one string of this
        # pickler's own: which of the user's strings are one object, a module's `__file__` among them, is chance. For
        # the same reason the name is not left to those versions of cloudpickle that would write it, too.
        name = self._file_names.setdefault(code.co_filename, "".join(code.co_filename))
        reduced: Any = self.dispatch_table[CodeType](code.replace(co_filename=""))
        make, arguments = reduced
        return _in_file, (name, make, arguments)


def dumps(value: Any, buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None) -> bytes:
    """Pickle a value; see `Pickler`."""
    file = io.BytesIO()
    Pickler(file, buffer_callback).dump(value)
    return file.getvalue()


def _in_file(name: str, make: Callable[..., CodeType], arguments: tuple[Any, ...]) -> CodeType:
    return make(*arguments).replace(co_filename=name)

"""Values to bytes and back.

The rows of pydantic models that carry nothing but their fields are pickled as plain dicts and rebuilt without being
validated again; everything else is pickled as it is. Large buffers (numpy, Arrow) are left out of the bytes and handed
beside them, so they can travel without a copy.

Unpickling runs code. Bodies come only from processes of the same run, over links that Ray authenticates.
"""

from __future__ import annotations

import collections
import io
import pickle
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from penguiray.link.classes import class_named, definition_of, learn, name_of
from penguiray.link.pickler import Pickler

__all__ = ["Body", "BodyTooLarge", "decode", "encode", "size_of"]


class BodyTooLarge(Exception):
    """Encoding was given up, since the body would be larger than allowed."""


@dataclass(slots=True)
class Body:
    """Encoded values."""

    data: bytes
    """Pickle of protocol 5, without the large buffers."""
    buffers: list[memoryview] = field(default_factory=list)
    """Large contiguous buffers in the order in which the pickle wants them; owned by the values they came from."""
    classes: tuple[str, ...] = ()
    """Names of the classes by value that occur; the receiver must know their definitions."""

    @property
    def nbytes(self) -> int:
        """Size of all parts in bytes."""
        return len(self.data) + sum(buffer.nbytes for buffer in self.buffers)

    def definitions(self, known: set[str]) -> tuple[tuple[str, bytes], ...]:
        """Definitions that a receiver lacks; they count as known from here on."""
        missing = [name for name in self.classes if name not in known]
        known.update(missing)
        return tuple((name, definition_of(name)) for name in missing)


class _Gauge:
    """A file that counts what is written to it, and refuses what is too much before it copies it."""

    __slots__ = ("file", "limit", "size")

    def __init__(self, limit: int, file: io.BytesIO | None = None) -> None:
        self.limit = limit
        self.file = file
        self.size = 0

    def write(self, data: Any) -> int:
        self.add(len(data))
        return len(data) if self.file is None else self.file.write(data)

    def add(self, nbytes: int) -> None:
        self.size += nbytes
        if self.size > self.limit:
            raise BodyTooLarge


class _Pickler(Pickler):
    """Names the classes that go by value instead of writing their definitions into every body."""

    def __init__(self, file: _Gauge, buffer_callback: Callable[[pickle.PickleBuffer], bool]) -> None:
        super().__init__(file, buffer_callback)
        self.classes: dict[str, None] = {}

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, type):
            name = name_of(obj)
            if name is not None:
                self.classes[name] = None
                return class_named, (name,)
        return super().reducer_override(obj)


def size_of(value: Any) -> int:
    """Bytes that a value takes, encoded by itself; nothing is kept or copied. Raises what its pickling raises."""
    gauge = _Gauge(sys.maxsize)

    def count(buffer: pickle.PickleBuffer) -> bool:
        gauge.add(buffer.raw().nbytes)
        return False

    _Pickler(gauge, count).dump(_to_rows([value]))
    return gauge.size


def encode(values: list[Any], *, inline_limit: int, limit: int | None = None) -> Body:
    """Encode a list of values.

    Args:
        values: What `decode` will give back, in order.
        inline_limit: Buffers above this many bytes are left out of the data.
        limit: Most bytes of the body. None: no limit.

    Raises:
        BodyTooLarge: It would be larger; no more than that was copied.
        Exception: Whatever a value's own pickling raises; the caller knows whose value it is.
    """
    buffers: list[memoryview] = []
    file = io.BytesIO()
    gauge = _Gauge(sys.maxsize if limit is None else limit, file)

    def keep_inline(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes <= inline_limit:
            return True
        gauge.add(raw.nbytes)
        buffers.append(raw)
        return False

    pickler = _Pickler(gauge, keep_inline)
    pickler.dump(_to_rows(values))
    return Body(file.getvalue(), buffers, tuple(pickler.classes))


def decode(data: bytes, buffers: Iterable[Any] = (), definitions: Iterable[tuple[str, bytes]] = ()) -> list[Any]:
    """Give back the values of a body.

    Args:
        data: `Body.data`.
        buffers: `Body.buffers`, or read-only views of copies of them; arrays made from them share their memory.
        definitions: Definitions of classes that this process may not know yet.
    """
    for name, definition in definitions:
        learn(name, definition)
    return _from_rows(pickle.loads(data, buffers=buffers))  # noqa: S301 - from a peer of the same run


class _Rows:
    """Models of one class as plain rows: the class, their `__dict__`s, and their sets of fields that were given."""

    __slots__ = ("cls", "fields_sets", "rows")

    def __init__(self, cls: type, rows: list[dict[str, Any]], fields_sets: list[set[str]] | None) -> None:
        self.cls = cls
        self.rows = rows
        self.fields_sets = fields_sets

    def __reduce__(self) -> tuple[Any, ...]:
        return _Rows, (self.cls, self.rows, self.fields_sets)


def _to_rows(values: list[Any]) -> Any:
    cls = type(values[0]) if values else None
    if cls is None or not _has_plain_rows(cls) or any(type(value) is not cls for value in values):
        return values
    fields_sets = [value.__pydantic_fields_set__ for value in values]
    n_fields = len(cls.__pydantic_fields__)
    all_given = all(len(given) == n_fields for given in fields_sets)
    return _Rows(cls, [value.__dict__ for value in values], None if all_given else fields_sets)


_plain_rows: dict[type, bool] = {}


def _has_plain_rows(cls: type) -> bool:
    """Whether the class is a pydantic model whose fields are all there is to it."""
    try:
        return _plain_rows[cls]
    except KeyError:
        plain = _plain_rows[cls] = _is_plain_model(cls)
        return plain


def _is_plain_model(cls: Any) -> bool:
    if not hasattr(cls, "__pydantic_complete__"):
        return False
    from pydantic import BaseModel  # noqa: PLC0415 - loaded already by whoever made a model

    own_pickling = any(
        getattr(cls, name, None) is not getattr(BaseModel, name, None)
        for name in ("__getstate__", "__setstate__", "__reduce__", "__reduce_ex__")
    )
    return (
        issubclass(cls, BaseModel)
        and not own_pickling
        and not cls.__private_attributes__
        and cls.model_config.get("extra") != "allow"
        and not any("__slots__" in vars(base) and base.__slots__ for base in cls.__mro__ if base is not BaseModel)
    )


def _from_rows(decoded: Any) -> list[Any]:
    if type(decoded) is not _Rows:
        values: list[Any] = decoded
        return values
    from pydantic import BaseModel  # noqa: PLC0415 - loaded already, since its classes were just unpickled

    cls: Any = decoded.cls
    rows = decoded.rows
    models = [cls.__new__(cls) for _ in rows]
    # One shared set is right only when all fields are in it: `setattr` on a model could add nothing more to it.
    given = decoded.fields_sets or [set(cls.__pydantic_fields__)] * len(rows)
    nothing = [None] * len(rows)
    slots: dict[str, Any] = vars(BaseModel)  # type: ignore[assignment]  # a mapping of slot descriptors
    _set_all(slots["__dict__"], models, rows)
    _set_all(slots["__pydantic_fields_set__"], models, given)
    _set_all(slots["__pydantic_extra__"], models, nothing)
    _set_all(slots["__pydantic_private__"], models, nothing)
    return models


def _set_all(slot: Any, models: list[Any], values: list[Any]) -> None:
    collections.deque(map(slot.__set__, models, values), maxlen=0)

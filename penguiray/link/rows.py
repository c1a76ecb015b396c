"""Objects of one class as rows of what they hold, and back: without a call of Python for each of them.

Rows are plain containers, so they are pickled in C. They are made into objects again by the descriptors of the class's
own slots: no constructor runs, and nothing is validated twice.
"""

from __future__ import annotations

import collections
import copyreg
import dataclasses
from collections.abc import Callable
from functools import cache
from itertools import repeat
from operator import attrgetter
from typing import Any

__all__ = ["as_rows", "from_rows", "has_rows", "may_hold_objects"]

Rows = tuple[Any, ...]
"""What `from_rows` needs beside the class. Its first entry says of which kind they are."""

_MODELS, _PLAIN, _SLOTS = range(3)

_attributes = attrgetter("__dict__")
_given_fields = attrgetter("__pydantic_fields_set__")


def has_rows(cls: type) -> bool:
    """Whether objects of a class can be rows: whether what is seen of them is all there is to them."""
    return _kind_of(cls) is not None


def may_hold_objects(cls: type) -> bool:
    """Whether rows of a class are right also where they hold objects that refer to what the rows stand for.

    Those are pickled with the row in the place of the object. A model takes the row for its own when it is made; a
    dataclass would be another one than that which they refer to.
    """
    return _kind_of(cls) == _MODELS


def as_rows(cls: type, values: list[Any]) -> Rows | None:
    """Objects of one class that `has_rows`; None if one of them has not even all of its attributes."""
    kind = _kind_of(cls)
    if kind == _MODELS:
        return _MODELS, list(map(_attributes, values)), _fields_sets(cls, values)
    if kind == _PLAIN:
        return _PLAIN, list(map(_attributes, values))
    try:
        return _SLOTS, list(map(_getter_of(cls), values))
    except AttributeError:
        return None


def from_rows(cls: Any, rows: Rows) -> list[Any]:
    """The objects again."""
    objects = list(map(cls.__new__, repeat(cls, len(rows[1]))))
    if rows[0] == _MODELS:
        _fill_models(cls, objects, rows[1], rows[2])
    elif rows[0] == _PLAIN:
        _set_all(_slot_of(cls, "__dict__"), objects, rows[1])
    else:
        slots = [_slot_of(cls, name) for name in _slot_names(cls)]
        columns = zip(*rows[1], strict=True) if len(slots) > 1 else [rows[1]]
        for slot, column in zip(slots, columns, strict=True):
            _set_all(slot, objects, column)
    return objects


@cache
def _kind_of(cls: Any) -> int | None:
    if cls in copyreg.dispatch_table:
        return None
    if hasattr(cls, "__pydantic_complete__"):
        return _MODELS if _is_plain_model(cls) else None
    is_usual = hasattr(cls, "__dataclass_fields__") and cls.__new__ is object.__new__ and _is_pickled_as_usual(cls)
    if not is_usual:
        return None
    if not cls.__dictoffset__:
        return _SLOTS if _slot_names(cls) else None
    return None if any(vars(base).get("__slots__") for base in cls.__mro__) else _PLAIN


# -- pydantic models


def _is_plain_model(cls: Any) -> bool:
    """Whether a pydantic model's fields are all there is to it."""
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


def _fields_sets(cls: Any, values: list[Any]) -> list[set[str]] | None:
    """The sets of fields that were given; None if all were, for all."""
    fields_sets = list(map(_given_fields, values))
    sizes = set(map(len, fields_sets))
    return None if sizes <= {len(cls.__pydantic_fields__)} else fields_sets


def _fill_models(cls: Any, models: list[Any], rows: list[dict[str, Any]], given: list[set[str]] | None) -> None:
    if len(models) == 1:
        one = rows[0], given[0] if given else set(cls.__pydantic_fields__), None, None
        for slot, value in zip(_model_slots(), one, strict=True):
            slot.__set__(models[0], value)
        return
    # One shared set is right only when all fields are in it: `setattr` on a model could add nothing more to it.
    sets = given or [set(cls.__pydantic_fields__)] * len(rows)
    nothing = [None] * len(rows)
    for slot, column in zip(_model_slots(), (rows, sets, nothing, nothing), strict=True):
        _set_all(slot, models, column)


@cache
def _model_slots() -> tuple[Any, ...]:
    """The slots of all models."""
    from pydantic import BaseModel  # noqa: PLC0415 - loaded already, since there is one

    names = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
    return tuple(vars(BaseModel)[name] for name in names)


# -- dataclasses


def _is_pickled_as_usual(cls: Any) -> bool:
    """Whether nobody has said how objects of a dataclass are to be pickled, but `dataclass(slots=True)` itself."""
    if cls.__reduce__ is not object.__reduce__ or cls.__reduce_ex__ is not object.__reduce_ex__:
        return False
    for name in ("__getstate__", "__setstate__"):
        found = getattr(cls, name, None)
        is_usual = found is getattr(object, name, None) or getattr(found, "__module__", "") == "dataclasses"
        if not is_usual:
            return False
    return not any(hasattr(cls, name) for name in ("__getnewargs__", "__getnewargs_ex__"))


@cache
def _slot_names(cls: Any) -> tuple[str, ...]:
    """Names of the fields of a dataclass whose slots are exactly these; empty if there are others."""
    names = tuple(field.name for field in dataclasses.fields(cls))
    return names if {name for base in cls.__mro__ for name in _declared(base)} == set(names) else ()


def _declared(base: type) -> tuple[str, ...]:
    slots = vars(base).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


@cache
def _getter_of(cls: type) -> Callable[[Any], Any]:
    return attrgetter(*_slot_names(cls))


@cache
def _slot_of(cls: type, name: str) -> Any:
    """The descriptor that stores an attribute of a class's objects."""
    return next(vars(base)[name] for base in cls.__mro__ if name in vars(base))


def _set_all(slot: Any, objects: list[Any], values: Any) -> None:
    if len(objects) == 1:
        slot.__set__(objects[0], values[0])
        return
    collections.deque(map(slot.__set__, objects, values), maxlen=0)

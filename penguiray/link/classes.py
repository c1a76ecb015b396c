"""Classes that a receiver cannot import: sent once per link by definition, named by content hash in every body.

A process knows classes the way it knows modules, so the registry belongs to the process. Which class a definition
gives back is settled by cloudpickle, which tracks the classes that it has made: a class that comes home is the class
that left.
"""

from __future__ import annotations

import contextlib
import copyreg
import hashlib
import sys
import threading
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from operator import attrgetter
from typing import Any, cast

import cloudpickle
from pydantic_core import SchemaSerializer, SchemaValidator

from penguiray.graph.code import is_importable_by_workers, modules_by_value
from penguiray.link.pickler import dumps

__all__ = ["by_value", "class_named", "class_referred_to", "definition_of", "learn", "name_of", "reference_to"]

_registering = threading.RLock()
_by_name: dict[str, type] = {}
_names: dict[type, str | None] = {}
_definitions: dict[str, bytes] = {}
_by_reference: dict[str, type] = {}
_references: dict[type, str] = {}


def name_of(cls: type) -> str | None:
    """Name of a class that must be sent by value, or None for one that the receiver can import."""
    try:
        return _names[cls]
    except KeyError:
        name = _names[cls] = None if _is_importable(cls) else _define(cls)
        return name


def definition_of(name: str) -> bytes:
    """The pickled class of that name."""
    return _definitions[name]


def class_named(name: str) -> type:
    """The class of that name; its definition must have come before."""
    return _by_name[name]


def learn(name: str, definition: bytes) -> None:
    """Take in a definition from a peer of the same run. It is unpickled: call this only on what a peer sent."""
    if name not in _by_name:
        cls = cloudpickle.loads(definition)
        _by_name[name] = cls
        _definitions[name] = definition
        _names.setdefault(cls, name)


def reference_to(cls: type) -> str:
    """A text that stands for a class: its name, or where it can be imported from."""
    try:
        return _references[cls]
    except KeyError:
        reference = _references[cls] = name_of(cls) or f"{cls.__module__}:{cls.__qualname__}"
        return reference


def class_referred_to(reference: str) -> type:
    """The class of a text that stands for it; a definition that is needed must have come before."""
    try:
        return _by_reference[reference]
    except KeyError:
        cls = _by_reference[reference] = _by_name[reference] if reference in _by_name else _imported(reference)
        return cls


def _imported(reference: str) -> type:
    module, _, name = reference.partition(":")
    found = attrgetter(name)(import_module(module))
    return cast("type", found if isinstance(found, type) else found.__wrapped__)


@contextlib.contextmanager
def by_value() -> Iterator[None]:
    """Have cloudpickle send everything from modules that workers cannot import by value, while this lasts."""
    with _registering:
        known = cloudpickle.list_registry_pickle_by_value()
        names = [name for name in modules_by_value() if name not in known]
        for name in names:
            cloudpickle.register_pickle_by_value(sys.modules[name])
        try:
            yield
        finally:
            for name in names:
                cloudpickle.unregister_pickle_by_value(sys.modules[name])


def _define(cls: type) -> str:
    with by_value():
        definition = dumps(cls)
    name = f"{cls.__qualname__}-{hashlib.blake2b(definition, digest_size=12).hexdigest()}"
    _by_name[name] = cls
    _definitions[name] = definition
    return name


def _reduce_cached(cached: cached_property[Any]) -> tuple[Any, ...]:
    return _cached, (cached.func, cached.attrname)


def _cached(function: Any, name: str | None) -> cached_property[Any]:
    cached = cached_property(function)
    cached.attrname = name
    return cached


# Until Python 3.12 a cached property holds a lock, so a class by value that has one could not be pickled.
copyreg.pickle(cached_property, _reduce_cached)


def _reduce_built(built: SchemaSerializer | SchemaValidator) -> tuple[Any, ...]:
    reduced: Any = built.__reduce__()
    make, arguments = reduced
    return make, _own(arguments)


def _own(schema: Any) -> Any:
    """The containers of a schema copied; what they hold stays itself."""
    kind = cast("Any", type(schema))
    if kind is dict:
        return {key: _own(value) for key, value in schema.items()}
    if kind in {list, tuple}:
        return kind(_own(value) for value in schema)
    return schema


# What pydantic builds from a schema is built again as it is unpickled. Models that refer to one another share parts of
# their schemas, and a part that is still being unpickled further out is an empty dict to the one inside: KeyError 'ref'
# or 'type' (pydantic issue 13085). With dicts of its own, each is whole before it is used.
copyreg.pickle(SchemaSerializer, _reduce_built)
copyreg.pickle(SchemaValidator, _reduce_built)


def _is_importable(cls: type) -> bool:
    if not is_importable_by_workers(cls.__module__):
        return False
    found: Any = sys.modules[cls.__module__]
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is cls or getattr(found, "__wrapped__", None) is cls

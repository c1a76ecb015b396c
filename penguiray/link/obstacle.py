"""What keeps a value from being pickled, named by the path that leads to it: `closure variable 'client' -> .lock`.

Nothing here runs before pickling has failed. Then the value is taken apart the way pickle and cloudpickle do it, and
each part is tried, down to one that fails and has no part that does.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from penguiray.graph.code import Code
from penguiray.graph.spec import NodeSpec
from penguiray.link.pickler import Pickler

__all__ = ["Obstacle", "find_obstacle", "try_to_pickle"]

Part = tuple[str, Any]
"""How a part is called, and the part; an empty name adds nothing to the path."""

_MOST_STEPS = 50
_GLOBAL_OPS = {"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME"}
_OF_CLASSES = {"__dict__", "__weakref__", "__module__", "__doc__", "_abc_impl", "__annotations__"}
_DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that cannot be pickled."""

    path: str
    """The way to it from the value; empty if it is the value itself."""
    type_name: str
    """Qualified name of its type."""
    reason: str
    """What pickling it raised; empty if that is only that it cannot be pickled."""

    def __str__(self) -> str:
        article = "an" if self.type_name.lstrip("_")[:1].lower() in set("aeiou") else "a"
        owner = f"its {'attribute ' if self.path.startswith('.') else ''}{self.path}" if self.path else "it"
        return f"{owner} is {article} {self.type_name}, which cannot be pickled{self.reason and f' ({self.reason})'}"


class _Nowhere:
    """A file that keeps nothing: only whether pickling succeeds is asked."""

    def write(self, data: Any) -> int:
        return len(data)


def try_to_pickle(value: Any) -> Exception | None:
    """Pickle a value to nowhere; gives what that raised. Large buffers are not copied."""
    try:
        Pickler(_Nowhere(), _leave_out).dump(value)
    except Exception as error:  # noqa: BLE001 - pickling runs user code
        return error
    return None


def _leave_out(_: object) -> None:
    """Tell pickle that a buffer goes its own way."""


def find_obstacle(value: Any, error: Exception) -> Obstacle:
    """Find the part of a value that cannot be pickled.

    Args:
        value: What could not be pickled.
        error: What pickling it raised.
    """
    return _search(value, error, (), {}) or _obstacle(value, error, ())


def _search(value: Any, error: Exception, path: tuple[str, ...], seen: dict[int, Any]) -> Obstacle | None:
    """Go down to the obstacle; None where all parts that fail were seen before, as in a cycle."""
    seen[id(value)] = value  # held on to, since an id is the value's own only while that lives
    is_whole = True
    for name, part in _parts(value) if len(path) < _MOST_STEPS else ():
        failure = try_to_pickle(part)
        if failure is None:
            continue
        is_whole = False
        if id(part) not in seen:
            found = _search(part, failure, (*path, name) if name else path, seen)
            if found is not None:
                return found
    return _obstacle(value, error, path) if is_whole else None


def _obstacle(value: Any, error: Exception, path: tuple[str, ...]) -> Obstacle:
    kind = type(value)
    text = str(error)
    reason = (
        "" if isinstance(error, TypeError) and text.startswith("cannot pickle") else f"{type(error).__name__}: {text}"
    )
    return Obstacle(" -> ".join(path), f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."), reason)


def _parts(value: Any) -> Iterable[Part]:
    """The parts that are pickled with a value."""
    for kinds, take_apart in _WAYS:
        if isinstance(value, kinds):
            return take_apart(value)
    return _of_object(value)


def _of_node(node: NodeSpec) -> Iterator[Part]:
    target = node.code.target
    if node.kind == "fold":
        yield from zip(("function 'initial'", "function 'add'", "function 'finish'"), target, strict=True)
    elif node.kind == "route":
        yield from ((f"predicate {number}", predicate) for number, predicate in enumerate(target))
    else:
        yield "", node.code
    positional, named = node.arguments
    yield from ((f"constructor argument {number}", argument) for number, argument in enumerate(positional))
    yield from ((f"constructor argument {name!r}", argument) for name, argument in named.items())
    yield "options", node.options
    yield "annotations", node.signature


def _of_function(function: types.FunctionType) -> Iterator[Part]:
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f"closure variable {name!r}", cell.cell_contents
        except ValueError:  # an empty cell
            continue
    names = code.co_varnames[: code.co_argcount]
    given = function.__defaults__ or ()
    defaults = dict(zip(names[len(names) - len(given) :], given, strict=True)) | (function.__kwdefaults__ or {})
    yield from ((f"default of {name!r}", default) for name, default in defaults.items())
    known = function.__globals__
    yield from ((f"global {name!r}", known[name]) for name in dict.fromkeys(_global_names(code)) if name in known)
    yield from _named(vars(function))
    yield from ((f"annotation of {name!r}", annotation) for name, annotation in function.__annotations__.items())


def _global_names(code: types.CodeType) -> Iterator[str]:
    """Names of the globals that a function and the functions inside it use; the others are not sent."""
    yield from (step.argval for step in dis.get_instructions(code) if step.opname in _GLOBAL_OPS)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)


def _of_class(cls: type) -> Iterator[Part]:
    for name, member in vars(cls).items():
        if name not in _OF_CLASSES and not isinstance(member, _DESCRIPTORS):
            yield f"{'method' if isinstance(member, types.FunctionType) else 'class attribute'} {name!r}", member
    yield from ((f"base class {base.__name__!r}", base) for base in cls.__bases__)


def _of_partial(partial: functools.partial[Any]) -> Iterator[Part]:
    yield "function", partial.func
    yield from ((f"argument {number}", argument) for number, argument in enumerate(partial.args))
    yield from ((f"argument {name!r}", argument) for name, argument in partial.keywords.items())


def _of_mapping(mapping: dict[Any, Any]) -> Iterator[Part]:
    yield from ((f"[{key!r}]", value) for key, value in mapping.items())
    yield from ((f"key {key!r}", key) for key in mapping)


def _of_object(value: Any) -> Iterator[Part]:
    """Take an object apart by its own `__reduce_ex__`; what refuses that has no parts."""
    try:
        reduced = value.__reduce_ex__(5)
    except Exception:  # noqa: BLE001 - it runs user code
        return
    if not isinstance(reduced, tuple):
        return
    _, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    # Before the class: an attribute says more than a class that cannot be pickled for the same attribute's sake.
    for part in state if isinstance(state, tuple) else (state,):
        yield from _named(part) if isinstance(part, dict) else [("state", part)]
    own = {id(part): name for name, part in getattr(value, "__dict__", {}).items()}
    for number, argument in enumerate(arguments or ()):
        is_class = isinstance(argument, type)
        called = f"class {argument.__name__!r}" if is_class else f"item {number} of its __reduce__"
        yield f".{own[id(argument)]}" if id(argument) in own else called, argument
    yield from ((f"[{number}]", item) for number, item in enumerate(items or ()))
    yield from ((f"[{key!r}]", item) for key, item in pairs or ())


def _named(attributes: dict[str, Any]) -> Iterator[Part]:
    yield from ((f".{name}", part) for name, part in attributes.items())


_WAYS: tuple[tuple[Any, Callable[[Any], Iterable[Part]]], ...] = (
    (NodeSpec, _of_node),
    (Code, lambda code: [("", code.target)]),
    (types.FunctionType, _of_function),
    (types.MethodType, lambda method: [("bound object", method.__self__), ("function", method.__func__)]),
    ((classmethod, staticmethod), lambda method: [("", method.__func__)]),
    (property, lambda found: [("", part) for part in (found.fget, found.fset, found.fdel) if part is not None]),
    (type, _of_class),
    (functools.partial, _of_partial),
    (dict, _of_mapping),
    ((list, tuple), lambda items: [(f"[{number}]", item) for number, item in enumerate(items)]),
    ((set, frozenset), lambda items: [("element", item) for item in items]),
)
"""How each kind of value is taken apart; the first that fits."""

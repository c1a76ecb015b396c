"""What a user's callable takes and gives, read once from its annotations."""

from __future__ import annotations

import functools
import inspect
import sys
from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from penguiray.draw.amounts import counted
from penguiray.errors import FlowError
from penguiray.graph.code import describe
from penguiray.graph.context import Context
from penguiray.graph.types import show, union_members, without_alias, without_none
from penguiray.graph.values import Many, Rows

__all__ = ["Columns", "Signature", "read_signature"]

Columns = Literal["list", "arrow", "numpy"]
"""How a batch is handed over: a list of messages, one Arrow table of n rows, or one array of shape (n, ...)."""

_SYNC_STREAMS = (abc.Iterator, abc.Generator)
_ASYNC_STREAMS = (abc.AsyncIterator, abc.AsyncGenerator)


@dataclass(frozen=True, slots=True)
class Signature:
    """A callable as the plan and the runtime see it."""

    is_async: bool
    """Whether a call must be awaited, or iterated with `async for`."""
    is_stream: bool
    """Whether a call gives 0..n messages, one after the other."""
    context: str | None
    """Name of the parameter that wants the `pr.Context`, or None."""
    input_type: Any
    """Type of one message; `inspect.Parameter.empty` if not said."""
    output_type: Any
    """Type of one output message; `inspect.Parameter.empty` if not said."""
    columns: Columns
    """How a batch is handed over; means nothing without a batch option."""
    unresolved_input: str = ""
    """The annotation of the message where it names what is not known there, which leaves it unchecked; else empty."""
    unresolved_output: str = ""
    """The same of what is returned."""


@dataclass(frozen=True, slots=True)
class _Unresolved:
    """An annotation that names what is not known where the callable is declared."""

    text: str


def read_signature(function: Any, *, batched: bool, owner: str) -> Signature:
    """Read a callable's ports.

    Args:
        function: What will be called with a message: a function, or the unbound `__call__` of a class.
        batched: Whether it is called with batches.
        owner: Names the node in errors.

    Raises:
        FlowError: It cannot be called with one message and perhaps a context, or a batch node's types are no batch.
    """
    parameters, returns = _annotations(function)
    context = next((name for name, annotation in parameters if annotation is Context), None)
    ports = [(name, annotation) for name, annotation in parameters if name != context]
    if len(ports) != 1:
        names = ", ".join(name for name, _ in ports) or "none"
        raise FlowError(
            f"node {owner!r} ({describe(function)}): takes {counted(len(ports), 'message parameter')} ({names}); a "
            f"node takes one message, and may take a second parameter annotated pr.Context{_hint(parameters)}"
        )
    if parameters[0][0] == context:
        raise FlowError(
            f"node {owner!r} ({describe(function)}): takes its context before its message; write the message first: "
            f"({ports[0][0]}, {context}: pr.Context){_hint(parameters)}"
        )
    wanted, unresolved_input = _known(ports[0][1])
    returns, unresolved_output = _known(returns)
    is_stream = _is_stream(function, returns)
    given = _stream_item(returns) if is_stream else returns
    columns: Columns = "list"
    if batched and is_stream:
        raise FlowError(
            f"node {owner!r} ({describe(function)}): is a batch node and a generator; return a list with one entry per "
            f"input (None for nothing, pr.Many(...) for several), or leave out the batch option"
        )
    if batched:
        columns, wanted, given = _batch_ports(wanted, given, owner, function)
    is_async = inspect.iscoroutinefunction(function) or _is_async_stream(function, returns)
    return Signature(
        is_async, is_stream, context, wanted, without_none(given), columns, unresolved_input, unresolved_output
    )


def _known(annotation: Any) -> tuple[Any, str]:
    """What is known of a type, and the annotation's text where that is nothing."""
    if isinstance(annotation, _Unresolved):
        return inspect.Parameter.empty, annotation.text
    return annotation, ""


def _hint(parameters: Sequence[tuple[str, Any]]) -> str:
    """What is to be added where a misspelt annotation may be why a parameter was taken for something else."""
    unknown = [f"{one.text!r} of {name}" for name, one in parameters if isinstance(one, _Unresolved)]
    return f". Annotations that cannot be resolved: {', '.join(unknown)}" if unknown else ""


def _annotations(function: Any) -> tuple[list[tuple[str, Any]], Any]:
    """Positional parameters that must be given, with their types, and the type of what is returned.

    Where none must be given the first counts: `bool` and its like have a default, which some Pythons tell of.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return [("message", inspect.Parameter.empty)], inspect.Parameter.empty
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    resolve = functools.partial(_resolve, scope=scope, outer=_closure_names(function))
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    there = [
        (name, resolve(parameter.annotation), parameter.default is inspect.Parameter.empty)
        for name, parameter in signature.parameters.items()
        if parameter.kind in kinds
    ]
    if there and there[0][0] in {"self", "cls"}:
        there = there[1:]
    if not any(must for _, annotation, must in there if annotation is not Context):
        first = next((one for one in there if one[1] is not Context), None)
        there = [(*one[:2], one is first or one[2]) for one in there]
    taken = [(name, annotation) for name, annotation, must in there if must or annotation is Context]
    return taken, resolve(signature.return_annotation)


def _closure_names(function: Any) -> dict[str, Any]:
    try:
        return dict(inspect.getclosurevars(function).nonlocals)
    except (TypeError, ValueError):
        return {}


def _resolve(annotation: Any, scope: dict[str, Any], outer: dict[str, Any]) -> Any:
    """Evaluate an annotation written as text; a name that is not known here may be one for type checkers alone."""
    if not isinstance(annotation, str):
        return without_alias(annotation)
    try:
        meant = eval(annotation, scope, {**_callers_names(), **outer})  # noqa: S307 - the user's own annotation
        return _resolve(meant, scope, outer)
    except (NameError, AttributeError, TypeError, SyntaxError):
        return _Unresolved(annotation)


def _callers_names() -> dict[str, Any]:
    """Local names of the code that declares the node: classes defined in a function are known only there."""
    frame = sys._getframe(1)  # noqa: SLF001 - the only way to a caller's local names
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in {"penguiray", "functools"}:
        if frame.f_back is None:
            return {}
        frame = frame.f_back
    return {} if frame is None else dict(frame.f_locals)


def _is_stream(function: Any, returns: Any) -> bool:
    return (
        inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
        or get_origin(returns) in {*_SYNC_STREAMS, *_ASYNC_STREAMS}
    )


def _is_async_stream(function: Any, returns: Any) -> bool:
    return inspect.isasyncgenfunction(function) or get_origin(returns) in _ASYNC_STREAMS


def _stream_item(returns: Any) -> Any:
    if get_origin(returns) in {*_SYNC_STREAMS, *_ASYNC_STREAMS, abc.Iterable, abc.AsyncIterable}:
        return next(iter(get_args(returns)), inspect.Parameter.empty)
    return inspect.Parameter.empty


def _batch_ports(wanted: Any, given: Any, owner: str, function: Any) -> tuple[Columns, Any, Any]:
    empty = inspect.Parameter.empty
    if _names_type(wanted, "pyarrow.lib", "Table"):
        return "arrow", empty, empty
    if _names_type(wanted, "numpy", "ndarray"):
        return "numpy", empty, empty
    if wanted is empty:
        return "list", empty, _item_type(given)
    if get_origin(wanted) not in {list, abc.Sequence} and wanted is not list:
        raise FlowError(
            f"node {owner!r} ({describe(function)}): is a batch node but takes {show(wanted)}; annotate its "
            f"parameter as list[...], pyarrow.Table or numpy.ndarray, or leave out the batch option"
        )
    return "list", _item_type(wanted), _item_type(given)


def _names_type(annotation: Any, module: str, name: str) -> bool:
    """Whether the annotation is that class or a form of it, told without importing its module."""
    cls = get_origin(annotation) or annotation
    return getattr(cls, "__module__", "") == module and getattr(cls, "__name__", "") == name


def _item_type(annotation: Any) -> Any:
    """Type of one message in a batch: what remains of `list[A | None | Many[A]]` is A."""
    if get_origin(annotation) not in {list, abc.Sequence} or annotation is Rows:
        return inspect.Parameter.empty
    members = [
        get_args(member)[0] if get_origin(member) is Many else member
        for member in union_members(get_args(annotation)[0])
    ]
    return functools.reduce(lambda a, b: a | b, members) if len(members) > 1 else members[0]

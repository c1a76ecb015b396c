"""May a message of one annotated type go to a node of another: yes unless it is surely wrong."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

__all__ = ["accepts", "is_checked", "show", "union_members", "without_alias", "without_none"]

_PROMOTIONS: Mapping[type, tuple[type, ...]] = {float: (int,), complex: (int, float)}


def union_members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; the annotation itself, alone, if it is none."""
    if get_origin(annotation) in {Union, types.UnionType}:
        return get_args(annotation)
    return (annotation,)


def without_none(annotation: Any) -> Any:
    """The annotation with None taken out of its union: what remains of `Page | None` is `Page`."""
    members = tuple(member for member in union_members(annotation) if member is not type(None))
    if not members:
        return type(None)
    return Union[members]  # noqa: UP007 - a union of members known only at run time


def without_alias(annotation: Any) -> Any:
    """What an annotation stands for that was given a name by `type`, as numpy's `NDArray` is on newer Pythons."""
    alias = get_origin(annotation) or annotation
    if type(alias).__name__ != "TypeAliasType":
        return annotation
    meant, arguments = alias.__value__, get_args(annotation)
    return without_alias(meant[arguments] if arguments and getattr(meant, "__parameters__", ()) else meant)


def is_checked(annotation: Any) -> bool:
    """Whether the annotation says enough to be checked: Any, object, nothing and type variables do not."""
    return not (annotation is Any or annotation is inspect.Parameter.empty or isinstance(annotation, TypeVar))


def show(annotation: Any) -> str:
    """The annotation as a person writes it."""
    if not is_checked(annotation):
        return "Any"
    return annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)


def accepts(wanted: Any, given: Any) -> bool:
    """Whether a node that wants one type can take what another gives.

    Unknown forms (protocols, literals, new types) are let through: only a sure mismatch is refused. Every member of a
    given union must fit.
    """
    if not (is_checked(wanted) and is_checked(given)) or wanted is object:
        return True
    given_members = union_members(given)
    if len(given_members) > 1:
        return all(accepts(wanted, member) for member in given_members)
    wanted_members = union_members(wanted)
    if len(wanted_members) > 1:
        return any(accepts(member, given) for member in wanted_members)
    return _accepts_one(_plain(wanted), _plain(given))


def _plain(annotation: Any) -> Any:
    return _plain(get_args(annotation)[0]) if get_origin(annotation) is typing.Annotated else annotation


def _accepts_one(wanted: Any, given: Any) -> bool:
    wanted_class, given_class = get_origin(wanted) or wanted, get_origin(given) or given
    if not (isinstance(wanted_class, type) and isinstance(given_class, type)):
        return True
    if getattr(wanted_class, "_is_protocol", False):
        return True
    if not issubclass(given_class, (wanted_class, *_PROMOTIONS.get(wanted_class, ()))):
        return False
    wanted_args, given_args = get_args(wanted), get_args(given)
    if wanted_class is not given_class or len(wanted_args) != len(given_args):
        return True
    pairs = zip(wanted_args, given_args, strict=True)
    return all(a is b or isinstance(a, list) or accepts(a, b) for a, b in pairs)

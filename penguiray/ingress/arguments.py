"""What a call may be given: checked when it is made, not when its first result is asked for."""

from __future__ import annotations

from typing import Any, Literal, get_args

from penguiray.errors import FlowError

__all__ = ["OnError", "check_async_inputs", "check_inputs", "check_on_error"]

OnError = Literal["raise", "yield", "skip"]
"""What a map does about an input that fails."""


def check_inputs(inputs: Any, call: str) -> None:
    """Refuse what a sync call cannot read, or would read as something else than was meant.

    Raises:
        FlowError: It is an async iterable and no other, or one input instead of many.
    """
    if hasattr(inputs, "__aiter__") and not hasattr(inputs, "__iter__"):
        raise FlowError(
            f"{call}() cannot read an async iterable ({type(inputs).__name__}); use a{call}() in async code"
        )
    check_async_inputs(inputs, call)


def check_async_inputs(inputs: Any, call: str) -> None:
    """Like `check_inputs`, for calls that read async iterables too."""
    if isinstance(inputs, str | bytes) or hasattr(type(inputs), "model_fields"):
        ask = "aask" if call.startswith("a") else "ask"
        raise FlowError(
            f"{call}() takes many inputs, and was given a single {type(inputs).__name__}; write {call}([value]), or "
            f"send one with {ask}() of a run"
        )
    if not (hasattr(inputs, "__iter__") or hasattr(inputs, "__aiter__") or hasattr(inputs, "__getitem__")):
        raise FlowError(f"{call}() takes an iterable of inputs, not {inputs!r}")


def check_on_error(given: str) -> None:
    """Refuse a word that is not among `OnError`.

    Raises:
        FlowError: It is none.
    """
    if given not in get_args(OnError):
        raise FlowError(f"on_error={given!r}: use one of {', '.join(map(repr, get_args(OnError)))}")

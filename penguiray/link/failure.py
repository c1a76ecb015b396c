"""A user's exception on its way to the caller: as itself where it can travel, else as its text and traceback."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any

from penguiray.errors import RemoteError
from penguiray.link.classes import definition_of
from penguiray.link.codec import decode, encode

__all__ = ["CarriedError", "Failure"]

_VALUE_LIMIT = 64 * 1024
_TEXT_LIMIT = 8 * 1024
_CAUSES = 3
"""Most exceptions that are carried behind the one that was raised; also the end of a chain that goes round."""


@dataclass(frozen=True, slots=True)
class CarriedError:
    """An exception as bytes and text."""

    type_name: str
    """Qualified name of its type."""
    text: str
    """What it says."""
    trace: str
    """Its traceback where it was raised, chained causes included; empty for an error of penguiray's own making."""
    data: bytes
    """The exception itself, encoded; empty if it does not survive that."""
    definitions: tuple[tuple[str, bytes], ...] = ()
    """Definitions of the classes by value in it."""
    cause: CarriedError | None = None
    """What it was raised from, without a traceback of its own: the one above has it."""

    @classmethod
    def of(cls, error: BaseException) -> CarriedError:
        """Pack an exception and its causes; what cannot be pickled, or not be unpickled, goes as text."""
        was_raised = error.__traceback__ is not None or error.__cause__ is not None
        trace = "".join(traceback.format_exception(error))[-_VALUE_LIMIT:] if was_raised else ""
        return cls._of(error, trace, _CAUSES)

    @classmethod
    def _of(cls, error: BaseException, trace: str, causes: int) -> CarriedError:
        kind = type(error)
        data, definitions = _packed(error)
        from_what = error.__cause__
        cause = None if from_what is None or not causes else cls._of(from_what, "", causes - 1)
        return cls(f"{kind.__module__}.{kind.__qualname__}", _text_of(error), trace, data, definitions, cause)

    def __str__(self) -> str:
        return f"{self.type_name.removeprefix('builtins.')}: {self.text}"

    def restore(self) -> BaseException:
        """The exception and what it was raised from, with the traceback of that place among its notes."""
        found = _decoded(self.data, self.definitions)
        lost = RemoteError(f"{self.type_name}: {self.text}", type_name=self.type_name)
        error: BaseException = found if isinstance(found, BaseException) else lost
        if self.trace:
            error.add_note(f"Raised in a replica:\n{self.trace}")
        if self.cause is not None:
            error.__cause__ = self.cause.restore()
        return error


def _decoded(data: bytes, definitions: tuple[tuple[str, bytes], ...]) -> Any:
    """What was encoded, or None: what one process can pickle another may not be able to unpickle."""
    if not data:
        return None
    try:
        return decode(data, (), definitions)[0]
    except Exception:  # noqa: BLE001 - unpickling runs user code
        return None


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:_TEXT_LIMIT]
    except Exception:  # noqa: BLE001 - a user's `__str__` is user code
        return "(its text could not be made)"


class _Bare:
    """Pickles an exception whose own pickling fails, often for a constructor with arguments that differ from `args`."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return _without_init, (type(self.error), self.error.args, vars(self.error))


def _without_init(kind: type[BaseException], args: tuple[Any, ...], facts: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


def _packed(error: BaseException) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
    """The exception encoded and proven to decode; user code runs in both, so anything may be raised here."""
    for value in (error, _Bare(error)):
        try:
            body = encode([value], inline_limit=_VALUE_LIMIT)
            if not body.buffers and len(body.data) <= _VALUE_LIMIT and type(decode(body.data)[0]) is type(error):
                return body.data, tuple((name, definition_of(name)) for name in body.classes)
        except Exception:  # noqa: BLE001, S112 - the pickling of a user's exception is user code
            continue
    return b"", ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that a node gave up on."""

    root: int
    """Root of the message."""
    message_id: int
    """Id that the message had when it entered the stage: what the ledger knows."""
    node: str
    """The node that failed, one of the stage's."""
    attempt: int
    """Attempts made."""
    error: CarriedError
    """The last attempt's exception."""
    value: bytes = b""
    """What the node was given, encoded; empty if it is larger than 64 KiB or cannot be pickled."""
    definitions: tuple[tuple[str, bytes], ...] = ()
    """Definitions of the classes by value in it."""
    outputs: int = 0
    """Outputs that it had streamed before; they are not taken back."""
    is_late: bool = False
    """Whether the message ran out of its caller's time rather than being refused."""

    def restore_value(self) -> Any:
        """What the node was given; None where it was not packed, or cannot be decoded here."""
        return _decoded(self.value, self.definitions)

    @staticmethod
    def packed_value(value: Any) -> tuple[bytes, tuple[tuple[str, bytes], ...]]:
        """A message's value for `value` and `definitions`."""
        try:
            body = encode([value], inline_limit=_VALUE_LIMIT)
        except Exception:  # noqa: BLE001 - the pickling of a user's value is user code
            return b"", ()
        if body.buffers or len(body.data) > _VALUE_LIMIT:
            return b"", ()
        return body.data, tuple((name, definition_of(name)) for name in body.classes)

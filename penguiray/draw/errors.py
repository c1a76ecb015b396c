"""An error as HTML: what happened, its facts, and its causes, with long tracebacks folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from penguiray.draw.html import folded, lines, table, verbatim
from penguiray.draw.text import escaped

__all__ = ["error_html"]

_CAUSES = 10
"""Most causes that are followed."""


def error_html(error: BaseException, facts: Mapping[str, object]) -> str:
    """Show an error.

    Args:
        error: The error; its causes are shown with it, and so are their notes, where the traceback from a replica is.
        facts: What is known about it, by name.
    """
    known = [(name, _shown(value)) for name, value in facts.items() if value is not None and value != ""]
    return lines(_said(error), table(["fact", "value"], known) if known else "", *_notes(error), *_causes(error))


def _causes(error: BaseException) -> Iterator[str]:
    cause = error.__cause__
    for _ in range(_CAUSES):
        if cause is None:
            return
        yield f"because of {_said(cause)}"
        yield from _notes(cause)
        cause = cause.__cause__


def _said(error: BaseException) -> str:
    return f"<b>{escaped(_name(error))}</b>: {escaped(_text(error))}"


def _name(error: BaseException) -> str:
    kind = type(error)
    is_known = kind.__module__ in {"builtins", "penguiray.errors"}
    return kind.__qualname__ if is_known else f"{kind.__module__}.{kind.__qualname__}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a user's `__str__` is user code
        return "(its text could not be made)"


def _notes(error: BaseException) -> Iterator[str]:
    for note in getattr(error, "__notes__", ()):
        head, _, rest = str(note).partition("\n")
        yield folded(head.rstrip(":"), verbatim(rest)) if rest else escaped(note)


def _shown(value: object) -> object:
    return value if isinstance(value, str) else repr(value)

"""pydantic's check of what enters a flow: once, here, and not again on every hop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic_core import SchemaValidator

from penguiray.graph.spec import NodeSpec
from penguiray.graph.types import is_checked

__all__ = ["InputCheck"]


class InputCheck:
    """Turns inputs into checked values, a column for each source of the flow."""

    __slots__ = ("_checks", "one")

    def __init__(self, sources: tuple[NodeSpec, ...]) -> None:
        known: dict[Any, Callable[[Any], Any] | None] = {}
        self._checks: list[Callable[[Any], Any] | None] = []
        for source in sources:
            annotation = source.signature.input_type
            key = annotation if getattr(annotation, "__hash__", None) else id(annotation)
            if key not in known:
                known[key] = _validator(annotation)
            self._checks.append(known[key])
        self.one: Callable[[Any], Any] = self._checks[0] if len(sources) == 1 and self._checks[0] else self._one
        """Check one input; gives what the source takes, or a tuple for several sources. Raises as `columns` does."""

    def _one(self, value: Any) -> Any:
        checked = [value if check is None else check(value) for check in self._checks]
        return tuple(checked) if len(checked) > 1 else checked[0]

    def columns(self, values: list[Any]) -> list[list[Any]]:
        """Check inputs; gives for each source its values.

        Raises:
            pydantic.ValidationError: One of them does not fit a source's annotation; says the path of the field.
        """
        return [list(values) if check is None else [check(value) for value in values] for check in self._checks]


def _validator(annotation: Any) -> Callable[[Any], Any] | None:
    if not is_checked(annotation) or annotation is object:
        return None
    from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, errors  # noqa: PLC0415 - slow import

    try:
        adapter = TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except errors.PydanticUndefinedAnnotation:
        return None
    # The adapter's own method adds two calls of Python to each check. A validator that is not built yet has no other.
    return (
        adapter.validator.validate_python if isinstance(adapter.validator, SchemaValidator) else adapter.validate_python
    )

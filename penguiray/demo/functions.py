"""The functions of a module."""

import ast
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

import penguiray as pr
from penguiray.demo.modules import Module

__all__ = ["Function", "Place", "split"]

_LEAST_LINES = 3
"""Shorter functions say the same thing everywhere: `return self._x`."""


class Place(BaseModel):
    """Where a function stands."""

    model_config = ConfigDict(frozen=True)

    file: str
    """Its module, as in `ModuleFile`."""
    line: int
    """Line of its `def`, from 1."""
    name: str
    """Its name with those of the classes around it: `Message.get_all`."""

    @property
    def rank(self) -> tuple[str, int]:
        """Orders places; no two functions share one."""
        return self.file, self.line

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.name}"


class Function(BaseModel):
    """A function as it is written."""

    place: Place
    """Where it stands."""
    source: str
    """Its lines from `def` to the end, indented as in the file; without decorators."""


@pr.node
def split(module: Module) -> Iterator[Function]:
    """Give the functions and methods of a module, without those of fewer than 3 lines.

    Functions inside functions are part of the outer one and not given on their own.

    Raises:
        SyntaxError: The module is no Python.
    """
    tree = ast.parse(module.text, filename=module.file)
    lines = module.text.split("\n")
    for name, function in _functions(tree, ()):
        end = function.end_lineno or function.lineno
        if end - function.lineno + 1 >= _LEAST_LINES:
            place = Place(file=module.file, line=function.lineno, name=name)
            yield Function(place=place, source="\n".join(lines[function.lineno - 1 : end]))


def _functions(
    parent: ast.AST, classes: tuple[str, ...]
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Functions under a node with their qualified names, also those under `if` and `try`."""
    for child in ast.iter_child_nodes(parent):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield ".".join((*classes, child.name)), child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, (*classes, child.name))
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _functions(child, classes)

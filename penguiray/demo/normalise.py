"""What a function does, without how its author named and explained it."""

import ast
import re

from pydantic import BaseModel

import penguiray as pr
from penguiray.demo.functions import Function, Place

__all__ = ["Normalised", "normal_form", "normalise"]

_LEAST_TOKENS = 30
"""Fewer tokens make functions equal by chance; found by looking at what was paired."""

_TOKEN = re.compile(r"\w+|[^\w\s]")


class Normalised(BaseModel):
    """A function in normal form."""

    place: Place
    """Where the function stands."""
    tokens: list[str]
    """Words and signs of its normal form."""


@pr.node
def normalise(function: Function) -> Normalised | None:
    """Bring a function into normal form; None for one that says less than 30 tokens."""
    tokens = _TOKEN.findall(normal_form(function.source))
    return Normalised(place=function.place, tokens=tokens) if len(tokens) >= _LEAST_TOKENS else None


def normal_form(source: str) -> str:
    """A function's text without comments, docstrings, annotations and decorators, each local name being `v`.

    Names from outside, attributes and constants stay: they are what the function works with, and tell functions apart
    that only have the same outline.

    Args:
        source: One function, indented or not.
    """
    # Dedenting would change strings over several lines.
    outer = ast.parse(f"if True:\n{source}" if source[:1].isspace() else source).body[0]
    function = outer.body[0] if isinstance(outer, ast.If) else outer
    nodes = list(ast.walk(function))
    local = _local_names(nodes)
    for node in nodes:
        _rename(node, local)
    return ast.unparse(function)


def _local_names(nodes: list[ast.AST]) -> set[str]:
    """Names that the function binds, those of functions in it included."""
    local: set[str] = set()
    outside: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                local.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                local.add(name)
            case ast.Global(names=names):
                outside.update(names)
            case _:
                continue
    return local - outside


def _rename(node: ast.AST, local: set[str]) -> None:
    match node:
        case ast.Name():
            node.id = "v" if node.id in local else node.id
        case ast.arg():
            node.arg, node.annotation = "v", None
        case ast.ExceptHandler():
            node.name = node.name and "v"
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            node.name, node.returns, node.decorator_list = "v", None, []
            node.body = _without_docstring(node.body)
        case ast.Global() | ast.Nonlocal():
            node.names = ["v"]
        case _:
            return


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body[0]:
        case ast.Expr(value=ast.Constant(value=str())):
            return body[1:] or [ast.Pass()]
        case _:
            return body

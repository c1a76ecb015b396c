"""All small bugs that a source can have, one at a time: an operator, a constant, a condition or a statement is another.

Asserts are left as they are: they state what always holds, and so no test can miss one. So are annotations, decorators,
docstrings, and what a module says about itself.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import TypeVar

__all__ = ["Planted", "planted_in"]

N = TypeVar("N", bound=ast.AST)

_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_UNTOUCHED = (ast.Assert, ast.Import, ast.ImportFrom)
_SELF_DESCRIBING = {"__all__", "__slots__"}


@dataclass(frozen=True)
class Planted:
    """A module with one bug."""

    line: int
    """Where the bug is."""
    where: str
    """The function or class that has it; empty for the module."""
    before: str
    """What stands there."""
    after: str
    """What stands there with the bug."""
    code: CodeType
    """The module, compiled."""


def planted_in(source: str, path: str) -> Iterator[Planted]:
    """The module with each of its bugs."""
    tree = ast.parse(source, path)
    yield from _in(tree, tree, path, "", 0)


def _in(node: ast.AST, tree: ast.Module, path: str, where: str, line: int) -> Iterator[Planted]:
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list", "bases", "type_params", "ctx"}:
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or _is_left_alone(node, child):
                continue
            inner, at = _place(child, where, line)
            for other in _others(child, node, field):
                _put(node, field, index, other)
                code = compile(ast.fix_missing_locations(tree), path, "exec")
                _put(node, field, index, child)
                yield Planted(at, inner, ast.unparse(child), ast.unparse(other), code)
            yield from _in(child, tree, path, inner, at)


def _put(node: ast.AST, field: str, index: int, child: ast.AST) -> None:
    value = getattr(node, field)
    if isinstance(value, list):
        value[index] = child
    else:
        setattr(node, field, child)


def _place(node: ast.AST, where: str, line: int) -> tuple[str, int]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        where = f"{where}.{node.name}".lstrip(".")
    return where, node.lineno if isinstance(node, ast.stmt) else line  # parts of f-strings have no line before 3.12


def _is_left_alone(parent: ast.AST, node: ast.AST) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring, or the dots of a protocol
    if isinstance(node, ast.Assign) and isinstance(parent, ast.Module | ast.ClassDef):
        return any(isinstance(target, ast.Name) and target.id in _SELF_DESCRIBING for target in node.targets)
    return isinstance(node, _UNTOUCHED)


def _others(node: ast.AST, parent: ast.AST, field: str) -> Iterator[ast.AST]:
    """What may stand for a part of a source where somebody was wrong."""
    if isinstance(node, ast.stmt):
        yield from _statements(node)
    elif isinstance(node, ast.expr):
        yield from _expressions(node)
        is_condition = field == "test" or (field == "ifs" and isinstance(parent, ast.comprehension))
        if is_condition and not isinstance(node, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield ast.UnaryOp(ast.Not(), node)
        if field == "ifs":
            yield ast.Constant(True)


def _statements(node: ast.stmt) -> Iterator[ast.stmt]:
    match node:
        case ast.Return(value=ast.expr() as value):
            if not (isinstance(value, ast.Constant) and isinstance(value.value, bool | None)):
                yield ast.Return(ast.Constant(None))
        case ast.AugAssign(op=op):
            yield ast.Pass()
            if (other := _OPERATORS.get(type(op))) is not None:
                yield _with(node, op=other())
        case (
            ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_])
            | ast.AnnAssign(target=ast.Attribute(), value=ast.expr())
        ):
            yield ast.Pass()
        case ast.Continue():
            yield ast.Pass()
            yield ast.Break()
        case ast.Break():
            yield ast.Pass()
        case ast.Expr() | ast.Delete() | ast.Raise():
            yield ast.Pass()
        case _:
            pass


def _expressions(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                yield _with(node, ops=[*ops[:index], _OPERATORS[type(op)](), *ops[index + 1 :]])
        case ast.BoolOp(op=op, values=values):
            yield _with(node, op=_OPERATORS[type(op)]())
            for index in range(len(values)):
                left = [*values[:index], *values[index + 1 :]]
                yield left[0] if len(left) == 1 else _with(node, values=left)
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            yield _with(node, op=_OPERATORS[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Call(func=ast.Name(id=name)) if name in _FUNCTIONS:
            yield _with(node, func=ast.Name(_FUNCTIONS[name], ast.Load()))
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str() as value) if value:
            yield ast.Constant(value + "!")
        case _:
            pass


def _with(node: N, **fields: object) -> N:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other

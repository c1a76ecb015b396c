"""The actor class must stay a threaded actor: Ray makes it an async one if it finds a single coroutine in it."""

from __future__ import annotations

import ast
from pathlib import Path

import penguiray

FILE = Path(penguiray.__file__).parent / "actors" / "replica_actor.py"


def test_the_actor_class_contains_no_coroutine() -> None:
    tree = ast.parse(FILE.read_text(encoding="utf-8"))
    found = [node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)]
    awaits = [node for node in ast.walk(tree) if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)]
    assert (found, awaits) == ([], [])

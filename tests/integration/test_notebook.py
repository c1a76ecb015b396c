"""Notebooks, in a real kernel that starts its own Ray."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest
from drivers import folder_for_ray, measured, processes_of, until
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
INTERRUPT_S = 8.0
"""Longest from the interrupt to the end of the cell; on a quiet machine it takes well under a second."""


@pytest.fixture
def kernels_ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What a kernel of the test inherits: no cluster to join, and a folder for the Ray that it starts."""
    for name in list(os.environ):
        if name.startswith(("RAY_", "PENGUIRAY_")):
            monkeypatch.delenv(name)
    with folder_for_ray() as folder:
        monkeypatch.setenv("RAY_TMPDIR", str(folder))
        yield folder
        until(lambda: processes_of(folder), lambda found: found == [], 20)


def stderr_of(notebook: nbformat.NotebookNode) -> list[str]:
    """What the cells wrote to stderr, warnings too."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output["text"] for output in outputs if output.get("name") == "stderr"]


def text_of(cell: nbformat.NotebookNode) -> str:
    """A cell's result or what it printed."""
    return "".join(str(output.get("text") or output["data"]["text/plain"]) for output in cell["outputs"]).strip()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebook_of_the_repository_runs_from_top_to_bottom(path: Path, kernels_ray: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat has no types for it

    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()

    assert stderr_of(notebook) == []


CELLS = """
    import asyncio, os, pathlib, time
    from pydantic import BaseModel
    import penguiray as pr

    class Word(BaseModel):
        text: str

    class Counted(BaseModel):
        word: Word
        letters: int
    os.getpid()
    # ---
    @pr.node(replicas=1)
    def count(word: Word) -> Counted:
        if word.text.startswith("/"):
            pathlib.Path(word.text).touch()
            time.sleep(0.05)
        return Counted(word=word, letters=len(word.text))

    run = pr.Flow(count, name="notebook").start()
    # ---
    first, run = run, pr.Flow(count, name="notebook").start()
    first.status().state
    # ---
    counted = run.ask(Word(text="heron"))
    type(counted) is Counted, type(counted.word) is Word, counted.letters
    # ---
    (await run.aask(Word(text="owl"))).letters
    # ---
    [counted.letters async for counted in run.amap([Word(text="a" * n) for n in range(1, 6)], ordered=True)]
    # ---
    sum(counted.letters for counted in run.map([Word(text="a" * n) for n in range(100)]))
    # ---
    @pr.node(replicas=1)
    async def double(counted: Counted) -> int:
        await asyncio.sleep(0.01)
        return 2 * counted.letters

    sorted(pr.Flow(count >> double).map([Word(text="a"), Word(text="bc")]))
    # ---
    class Word(BaseModel):
        text: str
        language: str = "en"

    @pr.node(replicas=1)
    def speak(word: Word) -> str:
        return f"{word.text} ({word.language})"

    pr.Flow(speak).collect([Word(text="kestrel")])
    # ---
    run.collect([Counted.model_fields["word"].annotation(text=MARK)] * 100_000)
    # ---
    run.ask({"text": "after"}).letters
    # ---
    run.stop()
    run.status().state
"""


def notebook_of(sources: list[str]) -> nbformat.NotebookNode:
    """A notebook with these cells."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]  # type: ignore[no-untyped-call]  # nbformat has no types for it
    made: nbformat.NotebookNode = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]  # as above
    return made


def test_cells_ask_map_and_await_and_an_interrupt_ends_only_its_cell(
    ray_cluster: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", ray_cluster)
    mark = tmp_path / "mark"
    sources = dedent(CELLS).replace("MARK", repr(str(mark))).strip().split("# ---\n")
    notebook = notebook_of(sources)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True)
    interrupted: list[float] = []

    def interrupt_when_under_way() -> None:
        until(mark.exists, bool, 60)
        interrupted.append(time.monotonic())
        os.kill(int(text_of(notebook.cells[0])), signal.SIGINT)

    with client.setup_kernel():
        helper = threading.Thread(target=interrupt_when_under_way, daemon=True)
        helper.start()
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
            if str(mark) in cell.source:
                took_s = time.monotonic() - interrupted[0]
        helper.join(5)

    measured(f"interrupt of a cell: {took_s:.2f} s")
    _, _, again, asked, awaited, streamed, mapped, flowed, redefined, stuck, after, stopped = notebook.cells
    assert "the run 'notebook' of this notebook was stopped" in stderr_of(notebook)[0]
    assert again["outputs"][-1]["data"]["text/plain"] == "'stopped'"
    assert text_of(asked) == "(True, True, 5)"
    assert text_of(awaited) == "3"
    assert text_of(streamed) == "[1, 2, 3, 4, 5]"
    assert text_of(mapped) == "4950"
    assert text_of(flowed) == "[2, 4]"
    assert text_of(redefined) == "['kestrel (en)']"
    assert [output["ename"] for output in stuck["outputs"]] == ["KeyboardInterrupt"]
    assert took_s < INTERRUPT_S
    assert text_of(after) == "5"
    assert text_of(stopped) == "'stopped'"
    assert len(stderr_of(notebook)) == 1

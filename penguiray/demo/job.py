"""The demo's flow, and one run of it."""

from dataclasses import dataclass

import penguiray as pr
from penguiray.config import EngineName
from penguiray.demo.duplicates import Pair, near_duplicates
from penguiray.demo.embed import embed
from penguiray.demo.functions import split
from penguiray.demo.modules import ModuleFile, broken_files, read, stdlib_files
from penguiray.demo.normalise import normalise
from penguiray.demo.report import file_of
from penguiray.observe.progress import Progress

__all__ = ["DemoResult", "build_flow", "run_demo"]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What a run of the demo gave."""

    pairs: list[Pair]
    """Pairs of functions that look alike, the most similar first."""
    dead_letters: list[pr.DeadLetter]
    """Modules that could not be read or parsed, by name."""
    status: pr.Status
    """What each node did."""


def build_flow() -> pr.Flow[ModuleFile, Pair]:
    """The flow from modules to pairs of functions that look alike."""
    return pr.Flow(read >> split >> normalise >> embed() >> near_duplicates, name="near-duplicates")


def run_demo(*, engine: EngineName | None = None, limit: int | None = None, progress: bool = False) -> DemoResult:
    """Run the flow over this Python's standard library and the three broken files.

    Args:
        engine: See `Flow.start`.
        limit: Only the first so many modules of the library; None takes all.
        progress: Whether to show progress on stderr.
    """
    modules = stdlib_files(limit) + broken_files()
    with build_flow().start(engine=engine) as run, Progress(run.status, is_on=progress):
        pairs = run.collect(modules, on_error="skip")
    return DemoResult(
        pairs=sorted(pairs, key=lambda pair: pair.rank),
        dead_letters=sorted(run.dead_letters(), key=file_of),
        status=run.status(),
    )

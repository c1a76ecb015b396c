"""How Ray says that an actor is lost, and how the user is told."""

from __future__ import annotations

from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from penguiray.control.restarts import MOST_IN_A_ROW
from penguiray.errors import ReplicaLost
from penguiray.link.frame import LinkId
from penguiray.plan.plan import Plan, Stage

__all__ = ["GONE", "cause_of", "end_of_run", "how_lost"]

GONE = (RayActorError, OutOfMemoryError)
"""What a call raises whose actor has ended, or cannot be reached."""


def cause_of(error: BaseException | None) -> BaseException | None:
    """What a replica's own error was, without what Ray wraps it in."""
    return error.cause if isinstance(error, RayTaskError) else error


def how_lost(error: BaseException | None) -> str:
    """How a replica was lost, in a few words."""
    cause = cause_of(error)
    if isinstance(cause, ReplicaLost):
        return str(cause)
    if isinstance(cause, OutOfMemoryError):
        return "Ray ended its process, since the host's memory was nearly used up"
    return "its process ended" if isinstance(cause, RayActorError) else repr(cause)


def end_of_run(plan: Plan, link: LinkId, error: BaseException | None) -> ReplicaLost:
    """Why a run ends with the loss of a replica."""
    stage = plan.stages[link.stage]
    what = f"replica {link.replica} of node {stage.name!r} was lost ({how_lost(error)})"
    lost = ReplicaLost(
        f"{what}{_why(plan, stage)}; run the flow again. Its inputs under way failed with this error",
        node=stage.name,
        replica=link.replica,
    )
    lost.__cause__ = cause_of(error)
    return lost


def _why(plan: Plan, stage: Stage) -> str:
    if stage.index in plan.unrepeatable and (stage.is_fold or stage.is_join):
        return ", and with it what it had gathered"
    if stage.index in plan.unrepeatable:
        return ", and with it what a join or a fold before it had gathered"
    return f", the {MOST_IN_A_ROW + 1}th time in a row without any input having been finished"

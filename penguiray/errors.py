"""Every error of penguiray, in one tree ordered by what the caller can do about it.

Facts are attributes, never parsed out of the text. Every class crosses process borders: it pickles and
unpickles equal in text, attributes and type.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "BudgetExceeded",
    "Cancelled",
    "DeadlineExceeded",
    "FlowError",
    "LinkClosed",
    "ManyResults",
    "NoResult",
    "NodeError",
    "NotYetError",
    "PenguirayError",
    "PlacementError",
    "RemoteError",
    "ReplicaLost",
    "ResultError",
    "RunClosed",
    "StartError",
]


class PenguirayError(Exception):
    """Root of all errors that penguiray raises; catches every one of them."""

    def __init__(self, message: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.__dict__.update(facts)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


def _rebuild(cls: type[PenguirayError], args: tuple[Any, ...], facts: dict[str, Any]) -> PenguirayError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class FlowError(PenguirayError):
    """The flow is wrong as written: fix the flow. Raised while nodes and flows are built."""

    node: str = ""
    """The node that it is about; empty if it is about none or several."""


class NotYetError(PenguirayError, NotImplementedError):
    """A part of the public surface that this version of penguiray does not have yet."""


class StartError(PenguirayError):
    """A run could not be started: a constructor or `setup()` raised, its name is taken, or no Ray could be reached.

    The user's exception, if there was one, is the `__cause__`.
    """

    node: str = ""
    """The node whose replica did not start; empty if none had been reached."""
    run: str = ""
    """The name that another run has; empty if it is not about a name."""
    host: str = ""
    """Host of the process that has the name; empty if that is not known."""
    pid: int = 0
    """Id of the process that has the name; 0 if that is not known."""
    since: float = 0.0
    """When that run was started, in seconds of Unix time; 0 if that is not known."""


class PlacementError(StartError):
    """No host of the cluster has the resources that a node asks for: fix the resources."""


class RunClosed(PenguirayError):
    """The run takes no new messages: it was drained or stopped, here or by leaving its `with` block."""

    run: str = ""
    """Name of the run."""


class DeadlineExceeded(PenguirayError, TimeoutError):
    """The time that the caller gave, or that a node may take for one attempt, is over."""

    node: str = ""
    """The node that had the message when its time ran out; empty if the caller stopped waiting first."""
    timeout_s: float | None = None
    """The limit that was overrun, in seconds."""


class BudgetExceeded(PenguirayError):
    """One input went round a loop too often, or turned into too many messages: the cause of a `NodeError`.

    Let the loop end or give less, or raise `max_hops` or `max_live_messages`.
    """

    node: str = ""
    """The node whose output was too much."""


class Cancelled(PenguirayError):
    """The input was given up with `run.cancel`; results that it gave before are given."""

    trace_id: str = ""
    """Trace id of the input."""


class NodeError(PenguirayError):
    """A node failed on a message for good; the user's exception is the `__cause__`.

    Raised to the caller that asked for the message's results, and kept in `run.dead_letters()`.
    """

    node: str = ""
    """Name of the node that failed."""
    attempt: int = 1
    """How many attempts were made, the failed one included."""
    message_id: int = 0
    """Id of the message that the node failed on; the same after a replay."""
    trace_id: str = ""
    """Trace id of the input that the message came from, 32 hexadecimal digits."""


class RemoteError(PenguirayError):
    """Stands for an exception that could not be carried from the replica where it was raised.

    It has the type's name and the text; the traceback is among its notes.
    """

    type_name: str = ""
    """Qualified name of the original exception's type."""


class ResultError(PenguirayError):
    """`ask` wants exactly one result, and the flow gave another number: use `ask_all`, or mend the flow."""


class NoResult(ResultError):
    """The message ended with no result."""


class ManyResults(ResultError):
    """The message ended with more than one result."""

    results: int = 0
    """How many results there were."""


class ReplicaLost(PenguirayError):
    """A replica's process ended while it held messages: recover by running the flow again.

    Until replay exists, losing a replica fails the run, so that no message is lost in silence.
    """

    node: str = ""
    """The node, or the first of the fused nodes, whose replica was lost."""
    replica: int = 0
    """Number of the replica within its stage, from 0."""


class LinkClosed(PenguirayError):
    """Reserved: a frame was sent on a link that this side had closed. Nothing raises it until links can be sealed."""

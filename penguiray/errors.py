"""Every error of penguiray, in one tree ordered by what the caller can do about it.

Facts are attributes, never parsed out of the text. Every class crosses process borders: it pickles and
unpickles equal in text, attributes and type.
"""

from __future__ import annotations

from typing import Any

from penguiray.draw.errors import error_html

__all__ = [
    "BudgetExceeded",
    "Cancelled",
    "DeadlineExceeded",
    "FlowError",
    "JoinIncomplete",
    "LinkClosed",
    "ManyResults",
    "MessageTooLarge",
    "NoResult",
    "NodeError",
    "NotYetError",
    "Overloaded",
    "PenguirayError",
    "PlacementError",
    "RemoteError",
    "ReplicaLost",
    "ResultError",
    "RunClosed",
    "StartError",
]


class PenguirayError(Exception):
    """Root of all errors of penguiray's own; catches every one of them.

    Not among them are `ValueError` and `TypeError`, for an argument that a call cannot take, as an unknown priority or
    a header that is no text, and `pydantic.ValidationError`, for an input that does not fit.
    """

    def __init__(self, message: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.__dict__.update(facts)

    def _repr_html_(self) -> str:
        """What a notebook shows where the error is a value: facts, causes, and tracebacks from replicas, folded."""
        return error_html(self, {name: fact for name, fact in vars(self).items() if not name.startswith("_")})

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
    path: str = ""
    """Where in the node that is which cannot be pickled, as `closure variable 'client' -> .lock`; else empty."""


class NotYetError(PenguirayError, NotImplementedError):
    """A part of the public surface that this version of penguiray does not have yet."""


class StartError(PenguirayError):
    """A run could not be started: a constructor or a set-up raised, its name is taken, or no Ray could be used.

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


class Overloaded(PenguirayError):
    """More cannot be taken now, and waiting here would not help. Nothing was sent, so it may be tried again later.

    Raised to who asks when too many asks are under way, or when the time-out is shorter than what others took lately: a
    service in front can answer 429. Raised to who sends when nobody reads: read results first, then send again.
    """

    run: str = ""
    """Name of the run."""
    unread: int = 0
    """Results that nobody has read; 0 to who asks."""
    asks: int = 0
    """Asks that are under way in this process; 0 to who sends."""
    expected_s: float = 0.0
    """What an ask would take that begins now, in seconds, if that is why; else 0."""


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


class JoinIncomplete(PenguirayError):
    """A join got fewer messages than it waits for: the cause of a `NodeError`."""

    node: str = ""
    """The join."""
    found: int = 0
    """Messages that came."""
    wanted: int = 0
    """Messages that it waits for."""


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
    index: int = 0
    """Place of that input among those of its call, from 0."""


class MessageTooLarge(PenguirayError):
    """The `__cause__` of a `NodeError` whose message has more bytes than may travel: send a path or a key instead."""

    size_bytes: int = 0
    """Bytes of the message, encoded."""
    limit_bytes: int = 0
    """Most that it may have."""


class RemoteError(PenguirayError):
    """Stands for an exception that could not be carried from the replica where it was raised.

    It has the type's name and the text; the traceback is among its notes.
    """

    type_name: str = ""
    """Qualified name of the original exception's type."""


class ResultError(PenguirayError):
    """Results are not there as the caller wants them.

    `ask` wants exactly one and the flow gave another number: use `ask_all`, or mend the flow. Or a loop over results
    began when they had been read: keep them in a list.
    """


class NoResult(ResultError):
    """The message ended with no result."""


class ManyResults(ResultError):
    """The message ended with more than one result."""

    results: int = 0
    """How many results there were."""


class ReplicaLost(PenguirayError):
    """A replica's process ended, and what it held cannot be given to another one.

    The cause of a `NodeError` where replicas died of an input again and again. It ends the whole run where a join or a
    fold was lost, since what those had gathered is gone, or where one replica after the other dies: recover by running
    the flow again.
    """

    node: str = ""
    """The node, or the first of the fused nodes, whose replica was lost."""
    replica: int = 0
    """Number of the replica within its stage, from 0."""


class LinkClosed(PenguirayError):
    """Reserved: a frame was sent on a link that this side had closed. Nothing raises it until links can be sealed."""

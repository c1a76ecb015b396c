"""How calls are made and where replicas live, as the user says it: frozen values, checked when they are made."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, Literal

from penguiray.errors import FlowError

__all__ = ["UNSET", "Batch", "FlowOptions", "NodeOptions", "Rate", "Retry"]


def _require(ok: bool, owner: str, what: str) -> None:
    if not ok:
        raise FlowError(f"{owner}: {what}")


@dataclass(frozen=True, slots=True)
class Retry:
    """Run a failed call again, after a random pause that grows: exponential back-off with full jitter.

    A retry repeats the node's effects, so it is off unless asked for. A message that waits for its next attempt
    holds no slot of the node, and never waits past its deadline.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015; the budget is a token
    bucket as in gRPC's retry throttling (proposal A6).
    """

    max_attempts: int = 3
    """Attempts in all, the first included; at least 1."""
    initial_s: float = 0.1
    """Upper bound of the first pause in seconds; the pause is drawn evenly from 0 to the bound."""
    max_s: float = 30.0
    """The bound doubles with each attempt, and stops growing here."""
    on: tuple[type[Exception], ...] = (Exception,)
    """Exceptions that are worth another attempt; time-outs arrive as `TimeoutError`."""
    budget_ratio: float = 0.2
    """Retries earned by each first attempt in a replica. Lower is safer for what the node calls when that is ill."""
    budget_reserve: int = 100
    """Retries a replica has before it has earned any, and the most that it can save up."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", tuple(self.on) if isinstance(self.on, Sequence) else (self.on,))
        _require(self.max_attempts >= 1, "Retry", f"max_attempts must be at least 1, not {self.max_attempts}")
        _require(0 <= self.initial_s <= self.max_s, "Retry", "needs 0 <= initial_s <= max_s")
        _require(self.budget_ratio >= 0 and self.budget_reserve >= 0, "Retry", "the budget cannot be negative")


@dataclass(frozen=True, slots=True)
class Rate:
    """Begin only so many calls of a node within any stretch of time, over all its replicas together.

    A call that must wait for its turn keeps its place in the node. It never waits past its message's deadline: where
    its turn comes later than that, it fails at once. The limit is never exceeded, whatever the calls and the network
    take: a call counts from when it was allowed until `per_s` after it was seen to have begun.
    """

    calls: int
    """Most calls that begin within any `per_s` seconds; at least 1. Each attempt is a call, and so is each batch."""
    per_s: float = 1.0
    """Length of that stretch in seconds, wherever it begins."""

    def __post_init__(self) -> None:
        _require(self.calls >= 1, "Rate", f"calls must be at least 1, not {self.calls}")
        _require(self.per_s > 0, "Rate", f"per_s must be above 0, not {self.per_s}")


@dataclass(frozen=True, slots=True)
class Batch:
    """Call the node with a list of messages instead of one.

    A batch is cut when it is full, when its oldest message has waited long enough, or when no more input will come.
    Both numbers stay as they are; with `batch="auto"` instead of a `Batch`, penguiray finds and changes them.
    """

    max_size: int = 64
    """Most messages in one call; at least 1."""
    max_wait_s: float = 0.01
    """Longest wait of a message for others to join it, in seconds. Larger fills batches, smaller answers sooner."""

    def __post_init__(self) -> None:
        _require(self.max_size >= 1, "Batch", f"max_size must be at least 1, not {self.max_size}")
        _require(self.max_wait_s >= 0, "Batch", f"max_wait_s cannot be negative, not {self.max_wait_s}")


class _Unset(enum.Enum):
    """The option was not given; penguiray chooses. One member, so that it stays the same object wherever it travels."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return self.value

    def __bool__(self) -> bool:
        return False


UNSET: Any = _Unset.UNSET


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """Everything that can be said about a node besides its function; the words of Ray keep Ray's meaning."""

    name: str = UNSET
    """Name in the flow, unique there. Unset: the name of the function or class."""
    num_cpus: float = UNSET
    """CPUs that each replica reserves, as in Ray. Unset: penguiray chooses, and reserves nothing."""
    num_gpus: float = UNSET
    """GPUs that each replica reserves; fractions share one. Unset: none."""
    memory: int = UNSET
    """Bytes of memory that each replica reserves. Unset: none."""
    resources: Mapping[str, float] = UNSET
    """Custom resources that each replica reserves. Unset: none."""
    label_selector: Mapping[str, str] = UNSET
    """Labels of the hosts where replicas may live, in Ray's syntax. Unset: any host."""
    runtime_env: Mapping[str, Any] = UNSET
    """Ray's runtime environment of the replicas; slows their start. Unset: the job's."""
    replicas: int | tuple[int, int] = UNSET
    """How many replicas, or (fewest, most). Unset: from 1 to the CPUs of the cluster."""
    concurrency: int | Literal["auto"] = UNSET
    """Calls that one replica runs at the same time. `"auto"`, for async functions: as many as take no longer for it, up
    to 4,000. Unset: 1 for sync functions, 32 for async ones."""
    batch: Batch | Literal["auto"] = UNSET
    """Hand the node lists of messages: of a size that you give, or with `"auto"` as many as it is quickest with. Unset:
    one message a call."""
    retry: Retry = UNSET
    """When to run a failed call again. Unset: never, since running twice is not free of effects."""
    idempotent: bool = UNSET
    """Whether a call may run twice, at the same time, without harm; for a class, with the same object. True: an async
    call that takes much longer than the node's calls do is made a second time, and the first to succeed counts. Unset:
    False, since running twice is not free of effects."""
    timeout_s: float = UNSET
    """Longest that one attempt may take, in seconds. Unset: no limit, and what takes over 30 s is reported."""
    rate: Rate = UNSET
    """How many calls may begin within any stretch of time, over all replicas together. Unset: no limit."""
    delivery: Literal["at_least_once", "at_most_once"] = UNSET
    """What may happen to a message when its replica is lost. `at_most_once`: inputs of the flow of which something is
    lost end with `ReplicaLost`, and are not sent again. Unset: at least once."""
    deterministic: bool = UNSET
    """Whether the same input gives the same number and order of outputs. False: what the flow gives for an input is
    told when the input is done, so that all of it is of one attempt. Unset: True."""
    fuse: bool = UNSET
    """Whether the node may share a replica with its neighbours. Unset: yes, where the plan finds it equal."""
    validate: bool = UNSET
    """Whether pydantic checks every message on its way into this node. Unset: no, only where the flow begins."""

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            check = _CHECKS.get(option.name)
            if value is not UNSET and check is not None and not check(value):
                raise FlowError(f"{option.name}={value!r} cannot be; {_RANGES[option.name]}")
        if self.delivery == "at_most_once" and self.retry_or_none is not None:
            raise FlowError(
                "delivery='at_most_once' and a retry contradict each other: an attempt may be a second time"
            )

    @property
    def finds_concurrency(self) -> bool:
        """Whether each replica finds by itself how many calls it runs at the same time."""
        return self.concurrency == "auto"

    @property
    def retry_or_none(self) -> Retry | None:
        """The retry policy, or None where a failed call is final."""
        return self.retry or None

    @property
    def rate_or_none(self) -> Rate | None:
        """The limit on calls in time, or None for no limit."""
        return self.rate or None

    @property
    def batch_or_none(self) -> Batch | Literal["auto"] | None:
        """The batch policy, "auto" where it is to be found, or None where the node is called with single messages."""
        return self.batch or None

    @property
    def timeout_or_none(self) -> float | None:
        """Seconds that one attempt may take, or None for no limit."""
        return None if self.timeout_s is UNSET else self.timeout_s

    def updated(self, owner: str, /, **changes: Any) -> NodeOptions:
        """These options with some of them changed.

        Args:
            owner: Whose they are, for errors.
            **changes: The options.

        Raises:
            FlowError: There is no option of that name, or the value cannot be.
        """
        known = [option.name for option in fields(self)]
        for name in changes:
            _require(name in known, owner, f"there is no option {name!r}{_meant(name, known)}")
        try:
            return replace(self, **changes)
        except FlowError as error:
            raise type(error)(f"{owner}: {error}") from None


def _meant(name: str, known: Sequence[str]) -> str:
    """What to use instead of an unknown option."""
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(known))}"


def _is_replicas(value: Any) -> bool:
    if isinstance(value, int):
        return value >= 1
    return isinstance(value, tuple) and len(value) == 2 and 1 <= value[0] <= value[1]


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and value >= 0


_CHECKS: dict[str, Any] = {
    "name": lambda v: isinstance(v, str) and bool(v) and "/" not in v,
    "num_cpus": _is_amount,
    "num_gpus": _is_amount,
    "memory": _is_amount,
    "replicas": _is_replicas,
    "concurrency": lambda v: v == "auto" or (isinstance(v, int) and v >= 1),
    "batch": lambda v: isinstance(v, Batch) or (isinstance(v, str) and v == "auto"),
    "retry": lambda v: isinstance(v, Retry),
    "idempotent": lambda v: isinstance(v, bool),
    "timeout_s": lambda v: isinstance(v, int | float) and v > 0,
    "rate": lambda v: isinstance(v, Rate),
    "delivery": lambda v: v in {"at_least_once", "at_most_once"},
    "deterministic": lambda v: isinstance(v, bool),
}
_RANGES: dict[str, str] = {
    "name": "give a text that is not empty and has no '/'",
    "num_cpus": "give a number that is not negative",
    "num_gpus": "give a number that is not negative",
    "memory": "give bytes, not negative",
    "replicas": "give a number from 1, or (fewest, most)",
    "concurrency": "give a whole number from 1, or 'auto'",
    "batch": "give a pr.Batch(...), or 'auto'",
    "retry": "give a pr.Retry(...)",
    "idempotent": "give True or False",
    "timeout_s": "give seconds above 0",
    "rate": "give a pr.Rate(...)",
    "delivery": "give 'at_least_once' or 'at_most_once'",
    "deterministic": "give True or False",
}


LINK_MESSAGES = 2_000
"""`FlowOptions.link_messages` on a quick way, where it is unset: two full frames."""


@dataclass(frozen=True, slots=True)
class FlowOptions:
    """Limits of a whole flow. The defaults are the safe choice; each says when to change it."""

    inline_limit_bytes: int = 64 * 1024
    """A buffer above this size travels through the object store, beside the frame's body instead of in it."""
    retention_bytes: int = 64 * 1024 * 1024
    """Most bytes that one sender keeps for messages that are not settled. Today it bounds what is in flight."""
    link_messages: int | None = None
    """Messages of a priority that may be on the way to one replica. None: 2,000, and where a frame takes long to get
    there, or its sender stands still now and then, as many as keep the replica busy meanwhile. Less bounds memory, and
    may leave it idle."""
    link_bytes: int = 16 * 1024 * 1024
    """Bytes that may be on the way to one replica; one message always passes. More is of use on a way that is slow and
    wide."""
    frame_messages: int = 1_000
    """Most messages in one frame. Frames are smaller where 650 KB (90 KB by calls, if it would have less than 400), or
    0.1 s of work, are less. Less spreads few messages over more replicas, and costs more frames."""
    max_message_bytes: int | None = None
    """Most bytes of one message between processes; a larger one fails. None: what Ray's smallest object store holds."""
    max_asks: int = 10_000
    """Inputs of `ask`, `ask_all` and `stream` that may be under way in one process; one more is refused at once, with
    `Overloaded`. The last tenth is for those of priority `high`, and from half on those of `low` are refused. Smaller
    refuses sooner, larger lets more wait."""
    max_hops: int = field(default=32)
    """How often a way back without `max_hops` of its own may be taken along one line of descent."""
    max_live_messages: int = field(default=100_000)
    """Most messages that one input may turn into, finished ones counted until it is done. Bounds memory."""
    streams: bool = True
    """Whether processes of one host talk over sockets, which takes a tenth of the time of Ray's calls. False: only by
    calls, as between hosts."""
    compression: Literal["auto", "lz4", "zstd"] | None = "auto"
    """How frames from 256 KiB on are compressed where they may go to another host. `auto`: as they get there soonest,
    by the measured speed of the way and a sample, so not at all in a quick network. None: never."""
    report_after_s: float = 30.0
    """A call that takes longer is reported as a warning, and again each time that it has taken twice as long."""

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name not in {"streams", "compression"} and (value is not None or option.default is not None):
                _require(value is not None and value >= 1, "FlowOptions", f"{option.name} must be at least 1")
        known = ("auto", "lz4", "zstd", None)
        _require(self.compression in known, "FlowOptions", "compression must be 'auto', 'lz4', 'zstd' or None")

"""What is said about a whole flow: order, the window on inputs, credit on links, and limits."""

from __future__ import annotations

from collections.abc import Iterator

from penguiray.draw.amounts import counted
from penguiray.explain.explanation import Origin, Statement
from penguiray.explain.stages import in_bytes
from penguiray.graph.policies import LINK_MESSAGES, FlowOptions
from penguiray.ingress.admission import most_asks
from penguiray.ingress.ingress import WINDOW_PER_CALL
from penguiray.ingress.window import MOST_INPUTS
from penguiray.plan.plan import Plan

__all__ = ["ask_statements", "credit_statements", "limit_statements", "order_statements", "window_statements"]


_COMPRESSION = {
    None: ("nothing is compressed on its way", "compression=None"),
    "lz4": ("large frames to other hosts are compressed with lz4", "compression='lz4'"),
    "zstd": ("large frames to other hosts are compressed with zstd", "compression='zstd'"),
    "auto": (
        "large frames to other hosts are compressed where they get there sooner",
        "as the measured speed of the way and a sample of the payloads say; in a quick network they are not",
    ),
}


def _origin(plan: Plan, *options: str) -> Origin:
    """Whether an option differs from its default; one that was set to the default cannot be told from it."""
    defaults = FlowOptions()
    is_default = all(getattr(plan.options, option) == getattr(defaults, option) for option in options)
    return "default" if is_default else "set"


def order_statements(plan: Plan) -> Iterator[Statement]:
    """In which order results come."""
    yield Statement(
        "order", plan.name, "results come as they are ready",
        "replicas and calls overtake each other; map(ordered=True) gives results in the order of the inputs", "default",
    )  # fmt: skip


def window_statements(plan: Plan) -> Iterator[Statement]:
    """How many inputs may be under way."""
    first = WINDOW_PER_CALL * plan.concurrency
    parts = " + ".join(
        f"{stage.replicas} x {stage.concurrency}{f' x {stage.messages_per_call}' * (stage.messages_per_call > 1)}"
        for stage in plan.stages
    )
    follows = "the flow's pace" + ", and what its calls can work on" * any(one.finds_concurrency for one in plan.stages)
    yield Statement(
        "window", plan.name, f"{counted(first, 'input')} under way at first",
        f"that is {WINDOW_PER_CALL} times what its calls can work on at once ({parts}); it follows {follows}, up "
        f"to {max(MOST_INPUTS, first):,}; map(window=...) fixes it",
        "default",
    )  # fmt: skip
    yield Statement(
        "window", plan.name, f"{in_bytes(plan.options.retention_bytes)} of inputs under way",
        "retention_bytes bounds what a sender keeps; no more inputs are read until some are done",
        _origin(plan, "retention_bytes"),
    )  # fmt: skip


def ask_statements(plan: Plan) -> Iterator[Statement]:
    """Which asks are refused."""
    most = plan.options.max_asks
    normal, low = most_asks("normal", most), most_asks("low", most)
    yield Statement(
        "asks", plan.name, f"up to {counted(most, 'ask')} at a time",
        f"one more is refused with Overloaded, from {normal:,} on unless its priority is high, and from {low:,} on if "
        f"it is low; map() and send() wait instead",
        _origin(plan, "max_asks"),
    )  # fmt: skip
    yield Statement(
        "asks", plan.name, "refused at once where timeout_s is too short",
        "others that found as much under way took longer lately; on its way, no call is begun that could not end in "
        "time while others wait",
        "default",
    )  # fmt: skip


def credit_statements(plan: Plan) -> Iterator[Statement]:
    """How much may be on its way to one replica."""
    options = plan.options
    messages, follows = options.link_messages, ""
    if messages is None:
        messages, follows = LINK_MESSAGES, "; more on a slow link, and while the sender stands still now and then"
    yield Statement(
        "credit", plan.name, f"{counted(messages, 'message')} and {in_bytes(options.link_bytes)} on a link",
        f"a sender waits for room, so pressure goes back to the caller; one message always passes{follows}",
        _origin(plan, "link_messages", "link_bytes"),
    )  # fmt: skip
    yield Statement(
        "credit", plan.name, f"frames of up to {counted(options.frame_messages, 'message')}",
        "a busy link or replica gathers messages, an idle one sends at once; a full frame is one of 650 KB, by calls "
        "mostly of 90 KB, or of 0.1 s of work, if that is less", _origin(plan, "frame_messages"),
    )  # fmt: skip
    if options.streams:
        says, why = "frames go over sockets on one host", "between hosts, and with large buffers, by Ray's calls"
    else:
        says, why = "frames go by Ray's calls", "streams=False; sockets are quicker between processes of one host"
    yield Statement("credit", plan.name, says, why, _origin(plan, "streams"))
    yield Statement(
        "credit", plan.name, f"buffers above {in_bytes(options.inline_limit_bytes)} go beside the frame",
        "on Ray the object store carries them", _origin(plan, "inline_limit_bytes"),
    )  # fmt: skip
    yield Statement("credit", plan.name, *_COMPRESSION[options.compression], _origin(plan, "compression"))


def limit_statements(plan: Plan) -> Iterator[Statement]:
    """What one input may set off."""
    options = plan.options
    yield Statement(
        "limits", plan.name, f"max_live_messages={options.max_live_messages:,} and max_hops={options.max_hops}",
        "an input that turns into more messages, or goes round more often, fails; others go on",
        _origin(plan, "max_live_messages", "max_hops"),
    )  # fmt: skip

"""Ids of messages, derived and never drawn: a message that is sent again after a loss has the id it had before.

A root is one input of one call: the call's number and the input's position in it; and the attempt, where an input that
is sent again begins anew, with other ids. The id of a message follows from
the id of the message it came from, the stage that it goes to, and its position among its siblings, so an id stands
for a message *and* its consumer.

Source: polynomial hashing over the field of the Mersenne prime 2^61 - 1 (Carter and Wegman, 1979). Two messages of one
root collide with a probability of about their depth / 2^61.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "call_of", "child_id", "child_ids", "first_call", "first_id", "first_ids", "ingress_number", "ingress_of",
    "next_attempt", "position_of", "root_of", "root_of_trace", "trace_id_of",
]  # fmt: skip

_PRIME = (1 << 61) - 1
_BASE = 0x1D2C_8A5F_3E97_B46D % _PRIME
_STAGE = 0x0F9B_31C7_64E8_D2A5 % _PRIME
_STEPS = [position * _BASE % _PRIME for position in range(256)]
"""From the id of an input to those behind it: to add takes a quarter of the time of multiplying."""
_POSITION_BITS = 40
_ATTEMPT_BITS = 8
_CALL_SHIFT = _POSITION_BITS + _ATTEMPT_BITS
_INGRESS_SHIFT = 40
"""Calls of ingress n are numbered from n << 40: those of the process that started the run are plain small numbers."""


def root_of(call: int, position: int) -> int:
    """The root for an input: its call's number, and its position among the call's inputs, from 0."""
    return call << _CALL_SHIFT | position


def position_of(root: int) -> int:
    """Position of a root among its call's inputs."""
    return root & (1 << _POSITION_BITS) - 1


def next_attempt(root: int) -> int | None:
    """The root under which an input begins anew; None if it did so too often."""
    anew = root + (1 << _POSITION_BITS)
    return anew if call_of(anew) == call_of(root) else None


def call_of(root: int) -> int:
    """Number of the call that a root belongs to."""
    return root >> _CALL_SHIFT


def ingress_number(epoch: int, count: int) -> int:
    """Number of the ingress of a process that attached to a run, given a number that no other one has.

    Hashed, since ids are taken modulo the prime: small numbers above the call's would meet the roots of other calls
    there.
    """
    return ((epoch * _BASE + count) * _BASE % _PRIME) or 1


def first_call(ingress: int) -> int:
    """The number before the first call of an ingress; it stands for all its calls."""
    return ingress << _INGRESS_SHIFT


def ingress_of(root: int) -> int:
    """Number of the ingress that sent a root: 0 for the process that started the run."""
    return root >> _CALL_SHIFT + _INGRESS_SHIFT


def first_id(root: int, stage: int) -> int:
    """Id of the message that an input is where it enters the flow.

    The call is hashed first: to multiply by a power of two turns the bits of a number round, modulo a Mersenne prime.
    So the positions of one call would meet those of another one.
    """
    seed = (root >> _POSITION_BITS) * _BASE % _PRIME
    return ((seed + position_of(root)) * _BASE + (stage + 2) * _STAGE) % _PRIME


def first_ids(root: int, count: int, stage: int) -> list[int]:
    """Ids of the messages that so many inputs in a row are where they enter the flow, by the root of the first.

    The same as `first_id` of each, which are a step apart.
    """
    ids: list[int] = []
    for begin in range(0, count, len(_STEPS)):
        first = first_id(root + begin, stage)
        ids += [found if (found := first + step) < _PRIME else found - _PRIME for step in _STEPS[: count - begin]]
    return ids


def child_id(parent: int, stage: int, index: int = 0) -> int:
    """Id of a message: from its parent's id, the stage it goes to, and its index among the siblings."""
    return (parent * _BASE + (stage + 2) * _STAGE + index) % _PRIME


def child_ids(parents: Sequence[int], stage: int) -> list[int]:
    """Ids of the only children of many messages."""
    offset = (stage + 2) * _STAGE
    return [(parent * _BASE + offset) % _PRIME for parent in parents]


def trace_id_of(epoch: int, root: int) -> str:
    """Trace id of an input whose caller gave none: 32 hexadecimal digits, the same wherever it is asked for."""
    which = call_of(root) << _POSITION_BITS | position_of(root)
    return f"{epoch + ingress_of(root) & 0xFFFF_FFFF_FFFF_FFFF:016x}{which & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def root_of_trace(epoch: int, trace_id: str, ingress: int = 0) -> int | None:
    """The root of an ingress, at its first attempt, that a trace id of `trace_id_of` speaks of.

    None for any other text.
    """
    head, tail = trace_id[:16], trace_id[16:]
    if len(tail) != 16 or head != f"{epoch + ingress & 0xFFFF_FFFF_FFFF_FFFF:016x}":
        return None
    try:
        which = int(tail, 16)
        return root_of(first_call(ingress) + (which >> _POSITION_BITS), position_of(which))
    except ValueError:
        return None

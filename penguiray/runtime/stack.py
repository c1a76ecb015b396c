"""The order of the policies round a user's function, outermost first, with the reason for each place.

    deadline      first, so that nothing is spent on a message whose caller has gone, or will be before the call ends
    retry         outside the slot, so that a message that waits for its next attempt keeps nobody out
    slot          outside the time-out, so that waiting for a slot, or for a thread that an earlier call overran in, is
                  not counted as the call's time
    rate          inside the slot, because a permit is for a call that begins now: one that still had to wait for a slot
                  would be used later, when others may begin too. A call that waits for its permit keeps nobody out by
                  its slot, since every call of the node waits for the same permits. Inside the retry, so that each
                  attempt counts; outside the time-out, so that the wait is not counted as the call's time
    cancelled     behind slot and rate, so that it is asked at the last moment before each attempt
    note          which message is worked on, and since when: inside all that waits, so that no wait is taken for the
                  call's time, and outside the hedge, so that two calls of one message are told as one
    hedge         where the node is idempotent: inside the retry, so that two calls are one attempt with one outcome,
                  and inside slot and rate, so that a wait for them does not make a call slow; the second call has a
                  slot and a permit of its own. Outside limit and time-out, which see each of the two calls by itself:
                  one that is cancelled says nothing to the limit. An attempt gets no more time for having two
    limit         where the node finds its concurrency by itself: inside slot and rate, so that a wait for them is not
                  taken for the call's time, and outside the time-out, so that it sees which calls were late
    time-out      around one attempt only, so that a retry has its full time again
    executor      where the function runs: the loop for async code, inline or a thread for sync code
    function

A retry never sleeps past the deadline, a permit is not waited for past it, and an attempt gets no more time than
remains of it. Caching has its place reserved between deadline and retry. Batching and fan-out change how many items
there are, so they are not layers.
"""

from __future__ import annotations

import random

from penguiray.clock import Clock
from penguiray.runtime.bound import BoundNode
from penguiray.runtime.cancelled import Cancelled
from penguiray.runtime.executor import Executor
from penguiray.runtime.hedge import why_not_hedged
from penguiray.runtime.inbox import Inbox
from penguiray.runtime.layers import (
    Call,
    with_cancelled,
    with_deadline,
    with_hedge,
    with_limit,
    with_note,
    with_rate,
    with_retry,
    with_slot,
    with_timeout,
)  # fmt: skip
from penguiray.runtime.slots import AutoSlots, Slots

__all__ = ["build_stack"]


def build_stack(
    node: BoundNode,
    inner: Call,
    slots: Slots,
    inbox: Inbox,
    executor: Executor,
    clock: Clock,
    rng: random.Random,
    cancelled: Cancelled | None,
    *,
    retries: bool = True,
) -> Call:
    """Put a node's policies round a call of its function; a policy that was not asked for costs nothing.

    Args:
        node: The node.
        inner: Calls its function.
        slots: The replica's limit on calls at the same time; it is told of the calls if it follows them.
        inbox: What waits besides.
        executor: Where sync code runs.
        clock: Where time comes from.
        rng: Jitter.
        cancelled: Inputs that were given up; None where a call is about several inputs.
        retries: Whether a failed call is made again, if the node asks for that.
    """
    options, name = node.spec.options, node.spec.name

    def admitted(call: Call) -> Call:
        if cancelled is not None:
            call = with_cancelled(call, cancelled)
        if node.permits is not None:
            call = with_rate(call, node.permits)
        return call

    call = with_timeout(inner, name, options.timeout_or_none, clock)
    if isinstance(slots, AutoSlots):
        call = with_limit(call, slots, clock)
    if why_not_hedged(node.spec) is None:
        call = with_hedge(call, admitted, node, slots, clock)
    call = with_slot(admitted(with_note(call, node, clock)), slots, executor)
    if options.retry_or_none is not None and retries:
        call = with_retry(call, node, options.retry_or_none, clock, rng)
    return with_deadline(call, node, inbox, clock)

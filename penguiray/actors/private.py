"""All that is used of Ray's private API, each with the version it was seen in and what happens without it."""

from __future__ import annotations

__all__ = ["free_by_host"]


def free_by_host() -> dict[str, dict[str, float]]:
    """Free resources of each host, by node id. Seen in Ray 2.60.

    Without it nothing is known to be free: messages about placement then say only what there is in all.
    """
    try:
        from ray._private.state import available_resources_per_node  # noqa: PLC0415 - may be gone in another version
    except ImportError:
        return {}
    found = available_resources_per_node()  # type: ignore[no-untyped-call]  # Ray has no types for it
    return dict(found)

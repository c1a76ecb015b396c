"""Inputs that were given up: nothing of them is begun any more, and nothing that they still give is passed on."""

from __future__ import annotations

from collections.abc import Iterable

from penguiray.link.ids import call_of, ingress_of

__all__ = ["Cancelled", "remember_calls", "remember_roots"]

_ROOTS = 40_000
"""More than twice the inputs that a call may have under way: a loss may have all of them begin anew."""
_CALLS = 1_000


class Cancelled:
    """The newest roots and calls that were given up, by `root in cancelled`.

    Of older ones nothing should be under way any more; if something is, it is worked on for nothing, since the caller's
    side follows them no longer. May be asked from any thread.
    """

    __slots__ = ("_calls", "_ingresses", "_roots", "has_any")

    def __init__(self) -> None:
        self.has_any = False
        """Whether anything was ever given up; to be asked first, since it costs next to nothing."""
        self._roots: dict[int, None] = {}
        self._calls: dict[int, None] = {}
        self._ingresses: set[int] = set()

    def add(self, roots: Iterable[int], calls: Iterable[int]) -> None:
        """Give up single inputs, and all of whole calls."""
        self.has_any = True
        remember_roots(self._roots, roots)
        remember_calls(self._calls, calls)

    def add_ingress(self, number: int) -> None:
        """Give up all that a process has sent."""
        self.has_any = True
        self._ingresses.add(number)

    def __contains__(self, root: object) -> bool:
        return isinstance(root, int) and (
            root in self._roots
            or call_of(root) in self._calls
            or (bool(self._ingresses) and ingress_of(root) in self._ingresses)
        )


def remember_roots(known: dict[int, None], new: Iterable[int]) -> None:
    """Add roots to those that were given up; the oldest are forgotten."""
    _remember(known, new, _ROOTS)


def remember_calls(known: dict[int, None], new: Iterable[int]) -> None:
    """Add calls to those that were given up; the oldest are forgotten."""
    _remember(known, new, _CALLS)


def _remember(known: dict[int, None], new: Iterable[int], most: int) -> None:
    known.update(dict.fromkeys(new))
    for oldest in list(known)[: max(0, len(known) - most)]:
        del known[oldest]

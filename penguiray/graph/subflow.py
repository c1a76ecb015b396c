"""What a node may ask: a flow as code inside a node sees it, without knowing any engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, TypeVar

__all__ = ["Subflow", "Subrun"]

A_contra = TypeVar("A_contra", contravariant=True)
B = TypeVar("B")


class Subrun(Protocol[A_contra, B]):
    """A flow that runs inside a replica; `pr.Run` is one."""

    def ask(
        self, value: A_contra, *, timeout_s: float | None, trace_id: str | None, headers: Mapping[str, str] | None
    ) -> B:
        """Send one input and wait for its one result."""
        ...

    def ask_all(
        self, value: A_contra, *, timeout_s: float | None, trace_id: str | None, headers: Mapping[str, str] | None
    ) -> list[B]:
        """Send one input and wait for all its results."""
        ...

    async def aask(
        self, value: A_contra, *, timeout_s: float | None, trace_id: str | None, headers: Mapping[str, str] | None
    ) -> B:
        """Twin of `ask`."""
        ...

    async def aask_all(
        self, value: A_contra, *, timeout_s: float | None, trace_id: str | None, headers: Mapping[str, str] | None
    ) -> list[B]:
        """Twin of `ask_all`."""
        ...

    async def astop(self) -> None:
        """End it."""
        ...


class Subflow(Protocol[A_contra, B]):
    """What can be started inside a replica; `pr.Flow` is one."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    def start(self, *, engine: Literal["local"]) -> Subrun[A_contra, B]:
        """Start it in this process."""
        ...

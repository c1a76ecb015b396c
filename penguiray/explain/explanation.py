"""What is said about a flow, as one frozen value that prints well."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from penguiray.draw import html
from penguiray.draw.text import escaped

__all__ = ["Explanation", "Origin", "Statement", "Topic"]

Topic = Literal[
    "stages", "fusion", "branches", "replicas", "choice of replica", "calls at a time", "resources", "batches",
    "retries", "stragglers", "time limits", "types", "delivery", "order", "window", "asks", "credit", "limits",
]  # fmt: skip
"""What a statement is about."""
Origin = Literal["set", "default", "decided"]
"""The user said so; penguiray chose, since the user said nothing; or it follows from the flow by a rule."""

_WIDTH = 100
_BY = {"set": "you", "default": "penguiray", "decided": ""}
_MARKS = {"set": " [set]", "default": " [default]", "decided": ""}


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that would hold of a run, and why."""

    topic: Topic
    """What it is about."""
    subject: str
    """The node, stage, edge (`split >> embed`) or flow that it is about."""
    verdict: str
    """What would hold, for instance `4 replicas`."""
    reason: str
    """Why; empty where the verdict says it all."""
    origin: Origin
    """Who chose it: "set" by the user, "default" of penguiray, or "decided" by a rule that follows from the flow."""

    def __str__(self) -> str:
        because = f", because {self.reason}" if self.reason else ""
        return f"{self.subject}: {self.verdict}{_MARKS[self.origin]}{because}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a flow would do on so many CPUs. `print` it, or read its statements."""

    name: str
    """Name of the flow."""
    cpus: int
    """CPUs that it was planned for."""
    statements: tuple[Statement, ...]
    """All that is said, by topic, in the order of the flow."""

    def about(self, subject: str) -> tuple[Statement, ...]:
        """The statements about one node, stage or edge."""
        return tuple(one for one in self.statements if one.subject == subject)

    def topics(self) -> Iterator[tuple[Topic, list[Statement]]]:
        """Topics with their statements; those that differ in nothing but the subject become one."""
        topics: list[Topic] = [one.topic for one in self.statements]
        for topic in dict.fromkeys(topics):
            yield topic, _merged([one for one in self.statements if one.topic == topic])

    @property
    def headline(self) -> str:
        """What was planned, in one line."""
        cpus = "1 CPU" if self.cpus == 1 else f"{self.cpus} CPUs"
        return f"flow {self.name!r}, planned for {cpus}; nothing was started"

    def _repr_html_(self) -> str:
        """What a notebook shows: one table."""
        rows = [
            ("" if number else topic, one.subject, one.verdict, _BY[one.origin], one.reason)
            for topic, statements in self.topics()
            for number, one in enumerate(statements)
        ]
        return html.lines(escaped(self.headline), html.table(("", "what", "holds", "chosen by", "because"), rows))

    def __str__(self) -> str:
        lines = [self.headline, "[set]: you said so. [default]: you did not, so penguiray chose."]
        for topic, statements in self.topics():
            lines += ["", topic.capitalize()]
            lines += [_wrapped(str(one)) for one in statements]
        return "\n".join(lines)

    def __repr__(self) -> str:
        """The same text: a prompt shows the repr of what an expression gave."""
        return str(self)


def _merged(statements: list[Statement]) -> list[Statement]:
    subjects: dict[tuple[str, str, Origin], list[str]] = {}
    for one in statements:
        subjects.setdefault((one.verdict, one.reason, one.origin), []).append(one.subject)
    topic = statements[0].topic
    return [Statement(topic, ", ".join(names), *rest) for rest, names in subjects.items()]


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent="  ", subsequent_indent="      ", break_long_words=False, break_on_hyphens=False
    )

"""The plan as data: stages, the edges between them, and why it is so."""

from __future__ import annotations

from dataclasses import dataclass, replace

from penguiray.draw.amounts import counted
from penguiray.graph.policies import Batch, FlowOptions
from penguiray.graph.spec import Loop, NodeSpec

__all__ = ["Decision", "Plan", "Stage", "StageEdge", "goes_along"]

_AUTO_MESSAGES = 256
"""Messages in the calls of one replica that are counted on where the size of batches is found while it works.

The window of `map` begins with a multiple of it. Batches cannot grow beyond what that lets in, and it grows only for
flows that are quick; a slow one reads so many inputs ahead. So it is above most best sizes of slow nodes, such as
models, and far below those of nodes that do little for a message, which the window follows."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that the planner decided, and why."""

    subject: str
    """What it is about, for instance `split >> embed`."""
    verdict: str
    """What was decided, for instance `not fused`."""
    reason: str
    """Why."""

    def __str__(self) -> str:
        return f"{self.subject}: {self.verdict}, because {self.reason}"


@dataclass(frozen=True, slots=True)
class StageEdge:
    """Where a stage's outputs go."""

    target: int
    """The receiving stage."""
    branch: int | None
    """The branch that the edge belongs to; None: every output takes it that was sent nowhere else."""
    name: str = ""
    """The node that it leads to, the first of its stage."""
    back: Loop | None = None
    """Set where it is a way back."""


def goes_along(edge: StageEdge, destination: int | None) -> bool:
    """Whether an output takes an edge.

    Args:
        edge: An edge of the output's stage.
        destination: None for an output that was sent nowhere in particular, which takes all edges without a branch,
            and goes to the caller if the stage is an end; b for a branch; -1 - t for stage t alone.
    """
    if destination is None or destination >= 0:
        return edge.branch == destination
    return edge.target == -1 - destination


@dataclass(frozen=True, slots=True)
class Stage:
    """One or more fused nodes, run by a group of replicas."""

    index: int
    """Number of the stage in its plan; stages are in an order in which every edge but the ways back points forward."""
    nodes: tuple[NodeSpec, ...]
    """The nodes, each fed by the one before it."""
    edges: tuple[StageEdge, ...]
    """Where the last node's outputs go, besides the caller."""
    is_end: bool
    """Whether the outputs go to the caller."""
    replicas: int
    """How many replicas it has."""
    concurrency: int
    """Calls that one replica runs at the same time; at first, where it finds that number by itself."""
    fed_by: tuple[tuple[int, str], ...] = ()
    """Of a join: the stages that lead to it, and their last nodes."""
    passes_on: bool = False
    """Whether what becomes of a message says that it is finished here: in a straight flow, anywhere but at the end."""

    @property
    def name(self) -> str:
        """The names of its nodes, joined."""
        return "+".join(node.name for node in self.nodes)

    @property
    def first(self) -> NodeSpec:
        """The node that takes the stage's messages."""
        return self.nodes[0]

    @property
    def last(self) -> NodeSpec:
        """The node that gives the stage's outputs."""
        return self.nodes[-1]

    @property
    def finds_concurrency(self) -> bool:
        """Whether each replica finds by itself how many calls it runs at the same time."""
        return self.last.options.finds_concurrency

    @property
    def messages_per_call(self) -> int:
        """Messages in one call: a full batch, or 1; where the size is found, what is set aside for it at first."""
        batch = self.last.options.batch_or_none
        if batch == "auto":
            return max(Batch().max_size, _AUTO_MESSAGES // self.concurrency)
        return 1 if batch is None else batch.max_size

    @property
    def gives_at_most_one(self) -> bool:
        """Whether it surely gives no more than one output for a message."""
        last = self.last
        several = last.signature.is_stream or last.signature.context or last.options.batch
        return last.kind in {"function", "class"} and not several

    @property
    def destinations(self) -> dict[str, int]:
        """How an output is sent to one node alone, by the node's name; see `goes_along`."""
        return {edge.name: -1 - edge.target for edge in self.edges}

    @property
    def is_fold(self) -> bool:
        """Whether it sums up the whole input."""
        return self.last.kind == "fold"

    @property
    def is_join(self) -> bool:
        """Whether it gathers messages."""
        return self.last.kind == "join"

    @property
    def mixes_inputs(self) -> bool:
        """Whether one message of it may come from several inputs: a sum, or a join by key."""
        return self.last.mixes_inputs


@dataclass(frozen=True, slots=True)
class Plan:
    """What an engine runs."""

    name: str
    """Name of the flow."""
    stages: tuple[Stage, ...]
    """By index."""
    sources: tuple[int, ...]
    """Stages that take the caller's input; each gets every message."""
    options: FlowOptions
    """Limits of the flow."""
    decisions: tuple[Decision, ...]
    """What was decided, with reasons."""

    @property
    def is_straight(self) -> bool:
        """Whether it is a chain of stages that each give at most one message for one, the caller's side among them."""
        return (
            len(self.sources) == 1
            and all(len(stage.edges) + stage.is_end == 1 for stage in self.stages)
            and all(stage.gives_at_most_one for stage in self.stages)
        )

    @property
    def folds(self) -> tuple[int, ...]:
        """Fold stages in the order in which they close: none feeds one before it."""
        return tuple(stage.index for stage in self.stages if stage.is_fold)

    @property
    def joins(self) -> tuple[int, ...]:
        """Join stages."""
        return tuple(stage.index for stage in self.stages if stage.is_join)

    @property
    def once(self) -> str | None:
        """The first node that may not get a message twice, so that no input is sent again; None if there is none."""
        nodes = (node for stage in self.stages for node in stage.nodes)
        return next((node.name for node in nodes if node.options.delivery == "at_most_once"), None)

    @property
    def unrepeatable(self) -> frozenset[int]:
        """Stages whose messages cannot be made again from the inputs: folds, joins by key, and all that those lead to.

        Joins by input are among them where there is one of those, since inputs do not begin anew there.
        """
        if not any(stage.mixes_inputs for stage in self.stages):
            return frozenset()
        found, waiting = set[int](), [*self.joins, *self.folds]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting += [edge.target for edge in self.stages[index].edges]
        return frozenset(found)

    def updated(self, new: NodeSpec) -> tuple[Plan, Stage]:
        """The plan with another version of the node of that name; gives the stage, too, that has it."""
        stage = next(stage for stage in self.stages if any(node.name == new.name for node in stage.nodes))
        nodes = tuple(new if node.name == new.name else node for node in stage.nodes)
        stage = replace(stage, nodes=nodes)
        stages = (*self.stages[: stage.index], stage, *self.stages[stage.index + 1 :])
        return replace(self, stages=stages), stage

    @property
    def begins_anew(self) -> bool:
        """Whether an input that is sent again is another attempt, of which one stands; else all of it has the same ids.

        Another attempt may give other messages, and a join can gather them again. What mixes inputs would count both.
        """
        if self.once is not None or any(stage.mixes_inputs for stage in self.stages):
            return False
        return bool(self.joins) or any(
            node.options.deterministic is False for stage in self.stages for node in stage.nodes
        )

    @property
    def concurrency(self) -> int:
        """Messages that the calls of the whole flow can work on at the same time; a batch counts as its members."""
        return sum(stage.replicas * stage.concurrency * stage.messages_per_call for stage in self.stages)

    def __str__(self) -> str:
        lines = [f"flow {self.name!r}: {counted(len(self.stages), 'stage')}"]
        for stage in self.stages:
            targets = [
                self.stages[edge.target].name + (f" (back, {counted(edge.back.max_hops, 'time')})" if edge.back else "")
                for edge in stage.edges
            ] + ["caller"] * stage.is_end
            calls = f"{stage.replicas} x {counted(stage.concurrency, 'call')} at a time"
            calls += " at first" * stage.finds_concurrency
            lines.append(f"  {stage.name}: {calls} -> {', '.join(targets)}")
        return "\n".join([*lines, *(f"  {decision}" for decision in self.decisions)])

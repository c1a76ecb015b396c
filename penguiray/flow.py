"""A graph with a name, ready to run: locally in this process, or on Ray."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Generic, Literal, TypeVar, overload

from penguiray.config import (
    EngineName,
    drawn_token,
    engine_name,
    prepare_join,
    prepare_ray,
    stays_local,
    wants_progress,
)
from penguiray.draw.diagram import Diagram
from penguiray.draw.html import lines, scrolled
from penguiray.draw.mermaid import mermaid_of
from penguiray.draw.svg import svg_of
from penguiray.draw.text import escaped
from penguiray.errors import FlowError
from penguiray.explain.explain import explain_flow
from penguiray.explain.explanation import Explanation
from penguiray.graph.back import Back
from penguiray.graph.check import check_flow, check_name
from penguiray.graph.inside import inside_node
from penguiray.graph.node import Graph, as_graph
from penguiray.graph.picture import diagram_of
from penguiray.graph.policies import FlowOptions
from penguiray.graph.spec import FlowSpec
from penguiray.graph.written import written
from penguiray.ingress.arguments import OnError, check_async_inputs, check_inputs, check_on_error
from penguiray.ingress.engine import Engine
from penguiray.lifecycle import warn_in_loop
from penguiray.link.sendable import check_sendable
from penguiray.names import name_for
from penguiray.observe.progress import Progress
from penguiray.plan.compile import compile_plan
from penguiray.plan.plan import Plan
from penguiray.results import AsyncResults, Results
from penguiray.run import Run

__all__ = ["Flow", "attach"]

I = TypeVar("I")  # noqa: E741 - the input of a flow, as everywhere in this package
O = TypeVar("O")  # noqa: E741 - the output of a flow


class Flow(Generic[I, O]):
    """A checked graph of nodes: messages of type I enter at its sources, results of type O leave at its ends.

    Building a flow checks it: unique names, types that fit along every edge, no cycle but by a declared way back,
    options in range, and nodes that can be pickled, since replicas are sent them. What a node cannot be sent with, its
    replica has to make.
    """

    def __init__(
        self,
        graph: Graph[I, O | None],
        *,
        name: str | None = None,
        back: Iterable[Back] = (),
        options: FlowOptions | None = None,
    ) -> None:
        """Check a graph and name it.

        Args:
            graph: Nodes joined by `>>`; a single node is a graph too.
            name: Names its runs, their actors and everything that is reported. A run that is started has the name
                for itself on its cluster. None: it is called "flow", and claims no name.
            back: Ways back, each a `pr.Back(from_node, to_node)`; they are no edges of the graph.
            options: Limits of the flow.

        Raises:
            FlowError: The flow is wrong as written; says which node, where it was written, and what to change.
        """
        shape, given = as_graph(graph, "pr.Flow takes").shape, name if name is not None else "flow"
        if isinstance(back, Back):
            raise FlowError(f"flow {given!r}: back={back!r} is a single way back; write back=[{back!r}]")
        self._spec = check_flow(shape, given, options or FlowOptions(), tuple(back))
        self._is_named = name is not None
        if not stays_local():
            check_sendable(self._spec.shape.nodes)

    @property
    def name(self) -> str:
        """Name of the flow."""
        return self._spec.name

    @property
    def spec(self) -> FlowSpec:
        """The flow as data."""
        return self._spec

    def plan(self, *, cpus: int = 1) -> Plan:
        """What would run on so many CPUs; nothing is started. `print` it to see stages, replicas and reasons."""
        return compile_plan(self._spec, cpus=cpus)

    def start(
        self,
        *,
        name: str | None = None,
        engine: EngineName | None = None,
        address: str | None = None,
        seed: int | None = None,
    ) -> Run[I, O]:
        """Start the flow and return at once; `with flow.start() as run:` waits until it is ready.

        A name belongs to one run at a time: on its cluster, or in this process on the local engine. A notebook that
        starts a name again has its old run of that name stopped, and logs that; a program gets an error. A name that
        another process runs is refused, by the first call that waits: see `StartError`. The name is free again when
        that run has ended; after a kill of its program, within 20 s.

        Args:
            name: Name of the run. None: the flow's; of a flow without a name, only a notebook replaces the old run.
                Inside a node a run has a name to itself only if one is given here.
            engine: "ray", or "local" for this process. None: `PENGUIRAY_ENGINE`, else "ray".
            address: Ray cluster to join. None: the one this program is connected to or runs in; else Ray is started
                on this host.
            seed: For the local engine: makes its shuffling repeatable.

        Raises:
            FlowError: There is no such engine, or the name cannot be one.
            StartError: This program runs that name already.
        """
        spec = self._spec if name is None else replace(self._spec, name=name)
        check_name(spec.name)
        if name is None and inside_node():  # every node of every replica may start it
            return self._start_unnamed(engine, address, seed)
        chosen, is_named = engine_name(engine), self._is_named or name is not None
        with name_for(chosen, spec.name, is_named=is_named) as keep:
            started = self._open(spec, chosen, address, seed, is_named=is_named)
            keep(started)
        return Run(started, spec)

    def _start_unnamed(self, engine: EngineName | None, address: str | None, seed: int | None = None) -> Run[I, O]:
        """Start a run that claims no name."""
        return Run(self._open(self._spec, engine_name(engine), address, seed, is_named=False), self._spec)

    def _open(
        self, spec: FlowSpec, engine: EngineName, address: str | None, seed: int | None, *, is_named: bool
    ) -> Engine:
        opened: Engine
        if engine == "local":
            from penguiray.local import LocalEngine  # noqa: PLC0415 - flows on Ray do without it

            opened = LocalEngine.of(spec, seed)
        else:
            joined = prepare_ray(address)
            from penguiray.actors.engine import RayEngine  # noqa: PLC0415 - loads ray

            opened = RayEngine(spec, address=joined, token=drawn_token(), flow=self.name, is_named=is_named)
        opened.open()
        return opened

    @overload
    def map(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
        engine: EngineName | None = None,
        address: str | None = None,
        progress: bool | None = None,
    ) -> Results[O]: ...
    @overload
    def map(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["yield"],
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
        engine: EngineName | None = None,
        address: str | None = None,
        progress: bool | None = None,
    ) -> Results[O | Exception]: ...
    def map(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: OnError = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
        engine: EngineName | None = None,
        address: str | None = None,
        progress: bool | None = None,
    ) -> Results[Any]:
        """Start, stream, drain, stop: `for vector in flow.map(urls)`.

        The flow starts with the first result asked for, and is gone when the loop is left, whichever way. Its run
        claims no name, so several may run beside one another.

        Args:
            inputs: Any iterable; see `Run.map` for it and for the further arguments.
            ordered: Give results in the order of the inputs.
            on_error: Raise at a failed input's place, yield its error, or skip it.
            window: Inputs that may be under way.
            headers: What nodes see as `ctx.headers`; `priority` there is `high`, `normal` or `low`.
            engine: See `start`.
            address: See `start`.
            progress: Whether to show progress on stderr once it takes longer than 2 s. None: `PENGUIRAY_PROGRESS`,
                else yes.

        Raises:
            FlowError: The inputs are a single text or model, or an async iterable; or `on_error` or engine is unknown.
        """
        check_inputs(inputs, "map")
        check_on_error(on_error)
        warn_in_loop("map", "flow")
        wishes = {"ordered": ordered, "on_error": on_error, "window": window, "headers": headers}
        return Results(self._map(inputs, engine=engine_name(engine), address=address, progress=progress, wishes=wishes))

    def _map(
        self,
        inputs: Iterable[I],
        *,
        engine: EngineName | None,
        address: str | None,
        progress: bool | None,
        wishes: dict[str, Any],
    ) -> Iterator[Any]:
        run = self._start_unnamed(engine, address)
        with Progress(run.status, is_on=wants_progress(progress)), run, run.map(inputs, **wishes) as results:
            yield from results

    @overload
    def amap(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
        engine: EngineName | None = None,
        address: str | None = None,
    ) -> AsyncResults[O]: ...
    @overload
    def amap(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["yield"],
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
        engine: EngineName | None = None,
        address: str | None = None,
    ) -> AsyncResults[O | Exception]: ...
    def amap(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        *,
        ordered: bool = False,
        on_error: OnError = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
        engine: EngineName | None = None,
        address: str | None = None,
    ) -> AsyncResults[Any]:
        """Twin of `map` for async code; leave an unfinished loop inside `async with`, which stops the run.

        Inputs may also be an async iterable; see `Run.amap`.
        """
        check_async_inputs(inputs, "amap")
        check_on_error(on_error)
        wishes = {"ordered": ordered, "on_error": on_error, "window": window, "headers": headers}
        return AsyncResults(self._amap(inputs, engine_name(engine), address, wishes))

    async def _amap(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        engine: EngineName | None,
        address: str | None,
        wishes: dict[str, Any],
    ) -> AsyncIterator[Any]:
        async with self._start_unnamed(engine, address) as run, run.amap(inputs, **wishes) as results:
            async for result in results:
                yield result

    def collect(
        self,
        inputs: Iterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
        engine: EngineName | None = None,
        address: str | None = None,
        progress: bool | None = None,
    ) -> list[O]:
        """All results of `map` as a list."""
        check_inputs(inputs, "collect")
        check_on_error(on_error)
        warn_in_loop("collect", "flow")
        wishes = {"ordered": ordered, "on_error": on_error, "window": window, "headers": headers}
        return list(self._map(inputs, engine=engine_name(engine), address=address, progress=progress, wishes=wishes))

    async def acollect(
        self,
        inputs: Iterable[I] | AsyncIterable[I],
        *,
        ordered: bool = False,
        on_error: Literal["raise", "skip"] = "raise",
        window: int | None = None,
        headers: Mapping[str, str] | None = None,
        engine: EngineName | None = None,
        address: str | None = None,
    ) -> list[O]:
        """Twin of `collect` for async code."""
        check_async_inputs(inputs, "acollect")
        check_on_error(on_error)
        wishes = {"ordered": ordered, "on_error": on_error, "window": window, "headers": headers}
        return [result async for result in self._amap(inputs, engine_name(engine), address, wishes)]

    def explain(self, *, cpus: int = 1) -> Explanation:
        """What would run on so many CPUs, and why; nothing is started and Ray is not loaded.

        `print` it. It says stages, fusion, replicas, resources, retries, time limits, edges whose types are not
        checked, delivery, order and limits, and marks what you set and what penguiray chose. On Ray a run counts the
        cluster's CPUs itself, and gets no more replicas than the cluster's resources are enough for; the local engine
        has one replica of each stage.
        """
        return explain_flow(self._spec, self.plan(cpus=cpus), cpus=cpus)

    def to_mermaid(self) -> str:
        """The flow as the text of a Mermaid flowchart: nodes, branches, and fused nodes in a frame."""
        return mermaid_of(self._diagram())

    def to_svg(self) -> str:
        """A drawing of the flow as the text of an SVG file, with colours for light and dark screens."""
        return svg_of(self._diagram(), is_file=True)

    def _repr_html_(self) -> str:
        """What a notebook shows: a drawing, with fused nodes in a frame."""
        return lines(f"flow <b>{escaped(self.name)}</b>", scrolled(svg_of(self._diagram())))

    def _diagram(self) -> Diagram:
        stages = [stage.nodes for stage in self.plan().stages]
        return diagram_of(self._spec.shape, f"flow {self.name}", stages)

    def __repr__(self) -> str:
        return f"<Flow {self.name!r}: {written(self._spec.shape)}>"


def attach(name: str, *, address: str | None = None) -> Run[Any, Any]:
    """Find a run of another process by its name, and use it beside that process.

    The handle takes all calls of a run. It gives results of what it sent itself; its `status()` counts the messages of
    all in the nodes, and its own inputs and dead letters. `drain()`, `stop()` and leaving a `with` block end this
    handle and its calls, never the run, which ends with the process that started it: calls fail with `RunClosed` then.
    A process that ends is let go, and one that is silent for 20 s; what it had under way is given up.

    Input models come with the run: a class of `__main__` there is not the class of that name here, so pass the fields
    as a dict, or keep models in a module that both programs import. It waits for an answer of the run, about a second;
    in async code call it with `asyncio.to_thread`.

    Args:
        name: Name of the run. `penguiray ls` lists them.
        address: Ray cluster to look at. None: the one that this program is connected to, else `RAY_ADDRESS`, else the
            Ray that a program of the same user has started on this host.

    Raises:
        StartError: No Ray can be found or reached, no run has that name (it says which there are), or 8 programs are
            attached to it already.
        FlowError: The environment says to use the local engine, whose runs live in their own process.
    """
    if engine_name(None) == "local":
        raise FlowError(
            f"pr.attach({name!r}): a run on the local engine lives in its process; use the handle of start()"
        )
    joined = prepare_join(address)
    from penguiray.actors.attached import AttachedEngine  # noqa: PLC0415 - loads ray

    found = AttachedEngine.find(name, joined)
    found.open()
    return Run(found, found.spec, began=found.began)

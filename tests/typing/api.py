"""The public surface as type checkers see it: checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

import penguiray as pr
from penguiray import testing


class Page(BaseModel):
    url: str


class Chunk(BaseModel):
    text: str


class Vector(BaseModel):
    values: list[float]


# -- functions of every kind


@pr.node
def plain(url: str) -> Page:
    return Page(url=url)


@pr.node(retry=pr.Retry(max_attempts=3), timeout_s=10)
def plain_with_context(url: str, ctx: pr.Context) -> Page:
    ctx.emit(Page(url=ctx.trace_id))
    return Page(url=url)


@pr.node
def maybe(url: str) -> Page | None:
    return Page(url=url) if url else None


@pr.node(concurrency=64, timeout_s=10, retry=pr.Retry(max_attempts=3), rate=pr.Rate(100, per_s=60))
async def fetch(url: str) -> Page:
    return Page(url=url)


@pr.node(concurrency="auto", idempotent=True)
async def fetch_many(url: str) -> Page:
    return Page(url=url)


pr.node(concurrency="many")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


@pr.node
async def fetch_with_context(url: str, ctx: pr.Context) -> Page:
    return Page(url=url + ctx.headers["suffix"])


@pr.node
def split(page: Page) -> Iterator[Chunk]:
    yield Chunk(text=page.url)


@pr.node
def split_with_context(page: Page, ctx: pr.Context) -> Iterator[Chunk]:
    yield Chunk(text=f"{page.url} {ctx.attempt}")


@pr.node
async def crawl(page: Page) -> AsyncIterator[Chunk]:
    yield Chunk(text=page.url)


@pr.node
async def crawl_with_context(page: Page, ctx: pr.Context) -> AsyncIterator[Chunk]:
    yield Chunk(text=f"{page.url} {ctx.remaining_s}")


assert_type(plain.options(name="again").name, str)
assert_type(plain("x"), Page)
assert_type(maybe("x"), Page | None)
assert_type(split(Page(url="x")), Iterator[Chunk])

# -- batches


@pr.node(batch=pr.Batch(max_size=8))
def batched(chunks: list[Chunk]) -> list[Vector]:
    return [Vector(values=[float(len(chunk.text))]) for chunk in chunks]


@pr.node(batch=pr.Batch(), concurrency=4)
async def batched_async(chunks: list[Chunk]) -> list[Vector | None]:
    return [None for _ in chunks]


@pr.node(batch=pr.Batch())
def batched_many(chunks: list[Chunk]) -> list[Vector | pr.Many[Vector] | None]:
    return [pr.Many([Vector(values=[])]) for _ in chunks]


@pr.node(batch=pr.Batch())
def batched_with_context(chunks: list[Chunk], ctx: pr.Context) -> list[Vector]:
    return [Vector(values=[ctx.attempt]) for _ in chunks]


@pr.node(batch="auto")
def batched_auto(chunks: list[Chunk]) -> list[Vector]:
    return [Vector(values=[]) for _ in chunks]


@pr.node(batch="auto", concurrency=4)
async def batched_auto_async(chunks: list[Chunk], ctx: pr.Context) -> list[Vector | None]:
    return [None for _ in chunks]


@pr.node(batch=pr.Batch())
def table(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return rows


# -- classes, typed by their constructors


class Embed:
    def __init__(self, model: str, *, dims: int = 8) -> None:
        self.model = model
        self.dims = dims

    def __call__(self, chunks: list[Chunk]) -> list[Vector]:
        return [Vector(values=[0.0] * self.dims) for _ in chunks]


class Parse:
    def __call__(self, page: Page) -> Iterator[Chunk]:
        yield Chunk(text=page.url)


class Ask:
    async def __call__(self, url: str, ctx: pr.Context) -> Page:
        return Page(url=url + ctx.trace_id)


embed = pr.actor(num_gpus=0.25, replicas=(1, 8), batch=pr.Batch(max_size=64, max_wait_s=0.01))(Embed)
parse = pr.actor(Parse)
ask = pr.actor(concurrency=8)(Ask)

assert_type(embed("small"), pr.Node[Chunk, Vector])
assert_type(embed("small", dims=4), pr.Node[Chunk, Vector])
assert_type(pr.actor(batch="auto")(Embed)("small"), pr.Node[Chunk, Vector])
pr.actor(batch="large")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]  # no such word
assert_type(parse(), pr.Node[Page, Chunk])
assert_type(ask(), pr.Node[str, Page])
embed(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the constructor wants a text
embed()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # the constructor wants an argument

# -- graphs

assert_type(fetch >> split, pr.Graph[str, Chunk])
assert_type(maybe >> split, pr.Graph[str, Chunk])
assert_type(fetch >> split >> embed("small"), pr.Graph[str, Vector])
assert_type(fetch >> (split, crawl), pr.Graph[str, Chunk])
assert_type(pr.fan(plain, fetch) >> split, pr.Graph[str, Chunk])
assert_type(pr.fan(split, crawl) >> (batched, batched_async), pr.Graph[Page, Vector])
assert_type(split >> (batched_auto, batched_auto_async), pr.Graph[Page, Vector])
fetch >> batched  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue, reportUnusedExpression]  # Page is no Chunk


def is_long(page: Page) -> bool:
    return len(page.url) > 3


def none() -> list[Chunk]:
    return []


def add(total: list[Chunk], chunk: Chunk) -> list[Chunk]:
    return [*total, chunk]


def biggest(total: list[Chunk]) -> Iterator[Chunk]:
    yield total[0]


routed = fetch >> pr.route((is_long, split), default=crawl)
assert_type(routed, pr.Graph[str, Chunk])

switched = pr.switch((str, fetch), (Page, split))
assert_type(switched, pr.Graph[str | Page, Page | Chunk])
whole = pr.switch((str, fetch), default=fetch)
assert_type(whole >> split, pr.Graph[Any, Chunk])
assert_type(plain >> (split, crawl) >> pr.join(2), pr.Graph[str, list[Chunk]])
assert_type(maybe >> pr.join(2, incomplete="partial"), pr.Graph[str, list[Page]])
assert_type(fetch >> pr.join(key=is_long), pr.Graph[str, list[Page]])
assert_type(pr.fold(none, add), pr.Node[Chunk, list[Chunk]])
assert_type(pr.fold(none, add, biggest), pr.Node[Chunk, Chunk])
assert_type(pr.fold(none, add, len), pr.Node[Chunk, int])

# -- flows and runs


@pr.node
def review(page: Page, ctx: pr.Context) -> Chunk | None:
    ctx.emit(page.url, to=fetch)
    return None


pr.Flow(fetch >> review, back=[pr.Back(review, fetch, max_hops=8)])
pr.Back(review, fetch, max_hops="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

flow = pr.Flow(fetch >> split >> embed("small"), name="index")
assert_type(flow, pr.Flow[str, Vector])
assert_type(pr.Flow(maybe), pr.Flow[str, Page])
assert_type(flow.explain(cpus=8), pr.Explanation)
assert_type(flow.explain().about("fetch"), tuple[pr.Statement, ...])
assert_type(flow.to_mermaid(), str)
assert_type(flow.to_svg(), str)


@pr.node
def asks(url: str, ctx: pr.Context) -> Vector:
    assert_type(ctx.ask_all(flow, url), list[Vector])
    ctx.ask(flow, 3)  # type: ignore[misc]  # pyright: ignore[reportArgumentType]  # the flow takes a text
    found = ctx.ask(flow, url)
    assert_type(found, Vector)
    return found


@pr.node
async def asks_async(url: str, ctx: pr.Context) -> list[Vector]:
    assert_type(await ctx.aask(flow, url), Vector)
    return await ctx.aask_all(flow, url)


def sync_calls() -> None:
    urls = ["a", "b"]
    for vector in flow.map(urls):
        assert_type(vector, Vector)
    for outcome in flow.map(urls, on_error="yield"):
        assert_type(outcome, Vector | Exception)
    iterator: Iterator[Vector] = flow.map(urls)
    iterator.__next__()
    assert_type(flow.collect(urls), list[Vector])
    assert_type(pr.attach("index", address="auto"), pr.Run[Any, Any])
    with flow.start(name="index-2") as run:
        assert_type(run, pr.Run[str, Vector])
        assert_type(run.ask("a", timeout_s=5), Vector)
        assert_type(pr.Overloaded("full").asks, int)
        assert_type(pr.Overloaded("slow").expected_s, float)
        assert_type(run.ask_all("a"), list[Vector])
        for streamed in run.stream("a", timeout_s=5):
            assert_type(streamed, Vector)
        assert_type(run.collect(urls, ordered=True), list[Vector])
        assert_type(run.send("a", trace_id="t", headers={"suffix": "x"}), str)
        for result in run.results(until_idle=True, on_error="skip"):
            assert_type(result, Vector)
        for either in run.results(on_error="yield"):
            assert_type(either, Vector | Exception)
        for trace_id, result in run.results(with_trace=True):
            assert_type((trace_id, result), tuple[str, Vector])
        for trace_id, either in run.results(with_trace=True, on_error="yield"):
            assert_type((trace_id, either), tuple[str, Vector | Exception])
        assert_type(run.status(), pr.Status)
        assert_type(run.dead_letters(), list[pr.DeadLetter])
        run.ask(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # the flow takes a text
        assert_type(run.cancel("trace"), int)
        run.update(split, split.options(timeout_s=3))
        run.update("embed", embed("large"))
        run.update("embed", split.spec)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # wants a node
        run.wait_ready(timeout_s=3)
        run.drain()
        run.stop()


async def found() -> AsyncIterator[str]:
    yield "a"


def testing_a_flow() -> None:
    with testing.virtual_time(seed=1, patience_s=2.0) as clock:
        assert_type(clock, testing.VirtualClock)
        assert_type(clock.now(), float)
        assert_type(clock.run(flow.acollect(["a"])), list[Vector])
        clock.sleep(60.0)
    urls = testing.script("a", testing.Pause(30), testing.Abort(), "b")
    assert_type(urls, testing.Script[str])
    assert_type(flow.collect(urls), list[Vector])
    pages = testing.outcomes(Page(url="a"), TimeoutError(), testing.Pause(5))
    assert_type(pages, testing.Outcomes[Page])
    fetched = pr.node(retry=pr.Retry())(pages) >> split
    assert_type(fetched, pr.Graph[Any, Chunk])
    seen = testing.Recorder[Page]()
    assert_type(fetch >> pr.node(seen) >> split, pr.Graph[str, Chunk])
    assert_type(seen.values, list[Page])
    assert_type(seen.entries, list[tuple[float, Page]])


async def async_calls() -> None:
    urls = ["a", "b"]
    async for vector in flow.amap(found()):
        assert_type(vector, Vector)
    assert_type(await flow.acollect(found()), list[Vector])
    async for vector in flow.amap(urls):
        assert_type(vector, Vector)
    assert_type(await flow.acollect(urls), list[Vector])
    async with flow.start(engine="local") as run:
        assert_type(await run.aask("a", headers={"suffix": "x"}), Vector)
        assert_type(await run.aask_all("a"), list[Vector])
        assert_type(await pr.bounded_map(run.aask, urls, limit=3), list[Vector])
        async for streamed in run.astream("a"):
            assert_type(streamed, Vector)
        async for vector in run.amap(urls, ordered=True, window=3):
            assert_type(vector, Vector)
        assert_type(await run.acollect(urls), list[Vector])
        async for outcome in run.amap(found(), on_error="yield"):
            assert_type(outcome, Vector | Exception)
        assert_type(await run.acollect(found()), list[Vector])
        assert_type(await run.asend("a"), str)
        async for result in run.aresults(until_idle=True):
            assert_type(result, Vector)
        async for trace_id, either in run.aresults(with_trace=True, on_error="yield"):
            assert_type((trace_id, either), tuple[str, Vector | Exception])
        await run.aupdate(split, split)
        await run.await_ready()
        await run.adrain()
        await run.astop()

"""`pr.switch`: a branch for each type."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

import penguiray as pr


class Page(BaseModel):
    text: str


class LongPage(Page):
    parts: int


class Link(BaseModel):
    url: str


@pr.node
def read(x: int) -> Page | Link:
    return LongPage(text="long", parts=2) if x == 0 else Page(text="page") if x % 2 else Link(url="u")


@pr.node
def text_of(page: Page) -> str:
    return page.text


@pr.node
def parts_of(page: LongPage) -> str:
    return f"{page.parts} parts"


@pr.node
def url_of(link: Link) -> str:
    return link.url


@pr.node
def name_of(thing: Any) -> str:
    return type(thing).__name__


@pr.node
def untyped(x: int) -> Any:
    return "text" if x else Link(url="u")


@pytest.mark.usefixtures("engine")
def test_switch_sends_each_message_down_the_first_branch_of_its_type() -> None:
    chosen = pr.switch((LongPage, parts_of), (Page, text_of), (Link, url_of))
    with pr.Flow(read >> chosen).start() as run:
        assert [run.ask(x) for x in (0, 1, 2)] == ["2 parts", "page", "u"]


@pytest.mark.usefixtures("engine")
def test_a_branch_may_stand_for_a_union_and_default_takes_the_rest() -> None:
    with pr.Flow(untyped >> pr.switch((Page | Link, name_of), default=name_of.options(name="rest"))).start() as run:
        assert [run.ask(x) for x in (0, 1)] == ["Link", "str"]
        assert {node.name: node.taken for node in run.status().nodes}["rest"] == 1


@pytest.mark.usefixtures("engine")
def test_a_message_of_no_branch_fails_by_itself_and_names_the_switch() -> None:
    with pr.Flow(untyped >> pr.switch((Link, url_of), name="kind")).start() as run:
        with pytest.raises(pr.NodeError, match="kind") as caught:
            run.ask(1)
        assert caught.value.node == "kind"
        assert run.ask(0) == "u"


def test_a_union_that_a_switch_does_not_cover_is_refused_when_the_flow_is_built() -> None:
    with pytest.raises(pr.FlowError, match=r"'read' \(.*:\d+\) gives .*no branch takes Link: add one, or a default="):
        pr.Flow(read >> pr.switch((Page, text_of)))


def test_a_branch_that_nothing_can_reach_is_refused() -> None:
    with pytest.raises(pr.FlowError, match=r"nothing can reach the branch for LongPage.*narrower type first"):
        pr.switch((Page, text_of), (LongPage, parts_of))


def test_a_branch_whose_graph_takes_another_type_is_refused() -> None:
    with pytest.raises(pr.FlowError, match=r"the branch for Link leads to 'text_of' \(.*:\d+\), which takes Page"):
        pr.switch((Link, text_of))


def test_a_branch_that_is_no_pair_or_no_class_is_refused() -> None:
    with pytest.raises(pr.FlowError, match="takes pairs"):
        pr.switch(text_of)  # type: ignore[call-overload]  # the mistake under test
    with pytest.raises(pr.FlowError, match="by a class or a union of classes, not 'Page'"):
        pr.switch(("Page", text_of))
    with pytest.raises(pr.FlowError, match="at least one pair"):
        pr.switch()

"""What is said before anything runs, and that it says who chose it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import penguiray as pr
from penguiray.explain.explanation import Explanation, Statement
from penguiray.graph.node import Graph


@pr.node
def first(x: int) -> int:
    return x


@pr.node
def second(x: int) -> int:
    return x


@pr.node
def several(x: int) -> Iterator[int]:
    yield x


@pr.node
async def waiting(x: int) -> int:
    return x


@pr.node
def untyped(x):  # type: ignore[no-untyped-def]  # the point of it
    return x


@pr.node(batch=pr.Batch(max_size=16, max_wait_s=0.5))
def batched(xs: list[int]) -> list[int]:
    return xs


@pr.node(batch=pr.Batch())
def columns(xs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return xs


class Model:
    def __call__(self, x: int) -> int:
        return x


def is_even(x: int) -> bool:
    return x % 2 == 0


def explained(graph: Graph[Any, Any], *, cpus: int = 1, **options: Any) -> Explanation:
    return pr.Flow(graph, options=pr.FlowOptions(**options)).explain(cpus=cpus)


def said(explanation: Explanation, topic: str, subject: str) -> tuple[str, str, str]:
    (found,) = [one for one in explanation.about(subject) if one.topic == topic]
    return found.verdict, found.reason, found.origin


def test_every_edge_between_stages_says_how_a_replica_is_chosen() -> None:
    explanation = explained(first >> several >> second >> waiting, cpus=8)
    verdict, reason, origin = said(explanation, "choice of replica", "several >> second")
    assert (verdict, origin) == ("the better of a few, or that of the key", "decided")
    assert "two that are drawn" in reason
    assert "key" not in said(explanation, "choice of replica", "input >> first")[1]
    assert said(explanation, "choice of replica", "second >> waiting")[0] == "the only one"
    assert not [one for one in explanation.about("first >> several") if one.topic == "choice of replica"]


def test_every_node_is_named_with_its_kind_and_where_it_was_written() -> None:
    model = pr.actor(Model)()
    text = str(explained(first >> several >> waiting >> model >> batched))
    for name in ("first", "several", "waiting", "Model", "batched"):
        assert name in text
    assert f"a function at {first.spec.where}" in " ".join(text.split())
    assert "a generator function at" in text
    assert "an async function at" in text
    assert "a class at" in text


def test_every_edge_has_its_fusion_decision_with_the_reason() -> None:
    explanation = explained(first >> second >> several >> waiting)
    assert said(explanation, "fusion", "first >> second") == ("fused", "their wishes are equal", "decided")
    assert said(explanation, "fusion", "second >> several")[0] == "fused"
    assert said(explanation, "fusion", "several >> waiting")[:2] == (
        "not fused",
        "messages of 'several' leave as they are yielded",
    )
    gathered = explained(first >> (second, waiting) >> several)
    assert said(gathered, "fusion", "second >> several")[:2] == (
        "not fused",
        "'several' takes messages over several edges",
    )
    names = {f"{edge.source.name} >> {edge.target.name}" for edge in pr.Flow(first >> second).spec.shape.edges}
    assert names <= {one.subject for one in explained(first >> second).statements if one.topic == "fusion"}


def test_a_stage_says_which_nodes_it_has_and_where_its_messages_go() -> None:
    explanation = explained(first >> second >> waiting)
    verdict, reason, _ = said(explanation, "stages", "first+second")
    assert verdict.endswith("sends to waiting")
    assert verdict.count("a function at") == 2
    assert "fused" in reason
    assert said(explanation, "stages", "waiting")[0].endswith("sends to the caller")


@pytest.mark.parametrize(
    ("topic", "node", "default", "options", "verdict"),
    [
        ("replicas", first, "4 replicas", {"replicas": 2}, "2 replicas"),
        ("replicas", first, "4 replicas", {"replicas": (1, 3)}, "3 replicas"),
        ("replicas", waiting, "1 replica", {"replicas": 2}, "2 replicas"),
        ("calls at a time", first, "1 at a time in each replica", {"concurrency": 5}, "5 at a time in each replica"),
        ("calls at a time", waiting, "32 at a time in each replica", {"concurrency": 5}, "5 at a time in each replica"),
        (
            "calls at a time",
            waiting,
            "32 at a time in each replica",
            {"concurrency": "auto"},
            "32 at a time in each replica at first",
        ),
        ("resources", first, "nothing is reserved", {"num_cpus": 0.5}, "each replica reserves 0.5 CPU"),
        ("resources", first, "nothing is reserved", {"memory": 3 * 2**29}, "each replica reserves 1.5 GiB of memory"),
        ("retries", first, "never", {"retry": pr.Retry(on=(OSError,))}, "up to 3 attempts on OSError"),
        ("time limits", first, "none for a call", {"timeout_s": 2.5}, "2.5 s for an attempt"),
    ],
)
def test_what_the_user_set_is_told_from_what_penguiray_chose(
    topic: str, node: pr.Node[int, int], default: str, options: dict[str, Any], verdict: str
) -> None:
    chosen = said(explained(node, cpus=4), topic, node.name)
    was_set = said(explained(node.options(**options), cpus=4), topic, node.name)
    assert (chosen[0], chosen[2]) == (default, "default")
    assert (was_set[0], was_set[2]) == (verdict, "set")
    assert chosen[1]
    assert was_set[1]
    assert f"{default} [default]" in " ".join(str(explained(node, cpus=4)).split())
    assert f"{verdict} [set]" in " ".join(str(explained(node.options(**options), cpus=4)).split())


def test_batches_say_how_they_are_handed_over() -> None:
    assert said(explained(first), "batches", "first")[0] == "one message a call"
    verdict, reason, origin = said(explained(batched), "batches", "batched")
    assert (verdict, origin) == ("a list of up to 16 messages a call", "set")
    assert "0.5 s" in reason
    assert said(explained(columns), "batches", "columns")[0] == "an array of up to 64 messages a call"


def test_an_automatic_batch_says_what_it_goes_by_and_who_chose_it() -> None:
    verdict, reason, origin = said(explained(batched.options(batch="auto")), "batches", "batched")
    assert (verdict, origin) == ("a list of as many messages a call as it is quickest with, up to 4,096", "set")
    assert "the node says batch='auto'" in reason
    assert "within 1 s, or 2 times what one message takes; half as many where memory ran out" in reason
    limited = said(explained(columns.options(batch="auto", timeout_s=5.0)), "batches", "columns")
    assert limited[0].startswith("an array of as many messages")
    assert "and within 2.5 s of its timeout_s" in limited[1]


def test_edges_whose_types_nobody_knows_are_unchecked_and_say_what_is_missing() -> None:
    explanation = explained(first >> untyped >> second)
    assert said(explanation, "types", "input >> first")[0] == "pydantic checks each input"
    assert said(explanation, "types", "first >> untyped")[:2] == (
        "unchecked",
        f"'untyped' ({untyped.spec.where}) has no annotation for what it takes",
    )
    assert said(explanation, "types", "untyped >> second")[:2] == (
        "unchecked",
        f"'untyped' ({untyped.spec.where}) has no annotation for what it gives",
    )
    assert said(explained(first >> waiting), "types", "first >> waiting")[0] == "checked"
    assert said(explained(untyped), "types", "input >> untyped")[0] == "unchecked"
    assert "columns" in said(explained(first >> columns), "types", "first >> columns")[1]
    validated = explained(first >> second.options(validate=True))
    assert said(validated, "types", "second") == ("pydantic checks each message", "the node says validate=True", "set")


def test_annotations_that_cannot_be_resolved_are_unchecked_and_named() -> None:
    @pr.node
    def misspelt(x: itn) -> Iterator[itn]:  # type: ignore[name-defined]  # noqa: F821 - the point of it
        yield x

    def predicate(x: itn) -> bool:  # type: ignore[name-defined]  # noqa: F821 - the point of it
        return True

    where = misspelt.spec.where
    cannot = "cannot be resolved where it was declared"
    explanation = explained(misspelt >> second)
    for edge, text in (
        ("input >> misspelt", f"the annotation 'itn' for what 'misspelt' ({where}) takes {cannot}"),
        ("misspelt >> second", f"the annotation 'Iterator[itn]' for what 'misspelt' ({where}) gives {cannot}"),
    ):
        assert said(explanation, "types", edge)[:2] == ("unchecked", text)
    reason = said(explained(pr.route((predicate, first))), "types", "route >> first")[1]
    assert reason.startswith("the annotation 'itn' for what the first predicate of 'route' (")


def test_an_annotation_that_fits_everything_is_not_called_missing() -> None:
    @pr.node
    def anything(x: object) -> Any:
        return x

    explanation, who = explained(anything >> second), f"'anything' ({anything.spec.where})"
    assert said(explanation, "types", "input >> anything")[1] == f"{who} takes object, which may be anything"
    assert said(explanation, "types", "anything >> second")[1] == f"{who} gives Any, which may be anything"
    assert said(explained(first >> pr.join(2)), "types", "first >> join")[1] == "'join' takes any type"


def test_lists_of_a_join_and_what_a_context_emits_are_not_called_checked_where_they_are_not() -> None:
    @pr.node
    def known(x: int, ctx: pr.Context) -> int:
        return x

    @pr.node
    def unknown(x: int):  # type: ignore[no-untyped-def]  # the case under test
        return x

    @pr.node
    def add(xs: list[int]) -> int:
        return sum(xs)

    other = known.options(name="other")
    text = str(pr.Flow(known >> (other, unknown) >> pr.join(2) >> add).explain())
    assert "join >> add: unchecked, because not all that reaches 'join' has a type" in " ".join(text.split())
    text = " ".join(str(pr.Flow(known >> (other, other.options(name="third")) >> pr.join(2) >> add).explain()).split())
    assert "join >> add: checked, because annotations were compared" in text
    assert "what is sent with ctx.emit was not compared" in text


def test_a_way_that_only_ctx_emit_takes_is_unchecked_since_it_is_chosen_in_each_call() -> None:
    @pr.node
    def check(x: int, ctx: pr.Context) -> int | None:
        return x

    @pr.node
    def words(x: int) -> str:
        return str(x)

    @pr.node
    def both(x: str, ctx: pr.Context) -> int | str:
        return x

    @pr.node
    def end(x: bytes) -> bytes:
        return x

    chosen = "chooses with ctx.emit(to=) in each call what goes this way, and that is not compared"
    looped = pr.Flow(first >> check >> second, back=[pr.Back(check, first)]).explain()
    reason = f"'check' ({check.spec.where}) {chosen}"
    assert said(looped, "types", "check >> first") == ("unchecked", reason, "decided")
    assert said(looped, "types", "check >> second")[0] == "checked"
    graph = first >> words >> both >> end  # type: ignore[operator]  # all that 'both' is annotated to give goes back
    by_type = pr.Flow(graph, back=[pr.Back(both, first), pr.Back(both, both)]).explain()
    assert said(by_type, "types", "both >> end")[:2] == ("unchecked", f"'both' ({both.spec.where}) {chosen}")


def test_branches_are_named_in_the_order_in_which_they_are_tried() -> None:
    routed = explained(pr.route((is_even, first), (lambda x: x > 3, second), default=several))
    assert said(routed, "branches", "route")[0] == "is_even to first, branch 2 to second, default to several"
    assert "is an error" not in said(routed, "branches", "route")[1]
    assert "is an error" in said(explained(pr.route((is_even, first))), "branches", "route")[1]
    unannotated = explained(pr.route((lambda x: True, first)))
    assert "first predicate of 'route'" in said(unannotated, "types", "route >> first")[1]


def test_edges_of_a_switch_are_checked_by_the_type_of_their_branch() -> None:
    switched = explained(pr.switch((int, first), default=untyped))
    assert said(switched, "branches", "switch")[0] == "int to first, default to untyped"
    assert said(switched, "types", "switch >> first")[0] == "checked"
    assert "the default of 'switch' takes any type" in said(switched, "types", "switch >> untyped")[1]
    assert said(switched, "types", "input >> switch")[0] == "unchecked"


def test_the_one_replica_of_a_fold_is_not_called_the_users_choice() -> None:
    folded = explained(first >> pr.fold(int, lambda total, x: total + x), cpus=8)
    assert said(folded, "replicas", "fold") == ("1 replica", "what it gathers lives in one replica", "decided")


def test_one_node_that_is_at_most_once_is_why_no_input_is_sent_again() -> None:
    explanation = pr.Flow(first >> second.options(delivery="at_most_once")).explain()
    verdict, why, source = said(explanation, "delivery", "first")
    assert (verdict, source) == ("each message at most once", "default")
    assert "ends with ReplicaLost, since 'second' is at_most_once" in why
    assert said(explanation, "delivery", "second")[2] == "set"


def test_window_credit_order_and_delivery_are_said_with_their_numbers() -> None:
    explanation = explained(first >> waiting >> batched, cpus=2, link_messages=10)
    windows = {one.verdict: one for one in explanation.about("flow") if one.topic == "window"}
    assert list(windows) == ["196 inputs under way at first", "64 MiB of inputs under way"]
    assert "(1 x 1 + 1 x 32 + 1 x 1 x 16)" in windows["196 inputs under way at first"].reason
    assert "65,536" in windows["196 inputs under way at first"].reason
    credit = [(one.verdict, one.origin) for one in explanation.about("flow") if one.topic == "credit"]
    assert credit[0] == ("10 messages and 16 MiB on a link", "set")
    assert credit[1] == ("frames of up to 1,000 messages", "default")
    assert "ordered=True" in said(explanation, "order", "flow")[1]
    assert said(explanation, "delivery", "first")[::2] == ("each message at least once", "default")
    assert said(explained(first, max_hops=3), "limits", "flow")[2] == "set"


def test_what_asks_are_refused_is_said_with_the_numbers_for_each_priority() -> None:
    (many, late) = [one for one in explained(first).about("flow") if one.topic == "asks"]
    assert (many.verdict, many.origin) == ("up to 10,000 asks at a time", "default")
    assert "from 9,000 on unless its priority is high, and from 5,000 on if it is low" in many.reason
    assert late.verdict == "refused at once where timeout_s is too short"
    (many, _) = [one for one in explained(first, max_asks=7).about("flow") if one.topic == "asks"]
    assert (many.verdict, many.origin) == ("up to 7 asks at a time", "set")


def test_the_window_counts_on_a_few_hundred_messages_where_the_size_of_batches_is_found() -> None:
    for concurrency, first_window, parts in (
        (1, 1_024, "1 x 1 x 256"),
        (2, 1_024, "1 x 2 x 128"),
        (8, 2_048, "1 x 8 x 64"),
    ):
        explanation = explained(batched.options(batch="auto", concurrency=concurrency))
        (window, *_) = [one for one in explanation.about("flow") if one.topic == "window"]
        assert window.verdict == f"{first_window:,} inputs under way at first"
        assert f"({parts})" in window.reason


def test_a_node_that_finds_its_concurrency_says_what_it_goes_by_and_the_window_follows() -> None:
    explanation = explained(waiting.options(concurrency="auto"))
    reason = said(explanation, "calls at a time", "waiting")[1]
    assert reason == "the node says concurrency='auto': more while calls take no longer for it, up to 4,000"
    windows = [one.reason for one in explanation.about("flow") if one.topic == "window"]
    assert "it follows the flow's pace, and what its calls can work on, up to 65,536" in windows[0]
    assert "what its calls can work on, up to" not in str(explained(waiting))
    assert "1 x 32 calls at a time at first" in str(pr.Flow(waiting.options(concurrency="auto")).plan())


def test_no_value_of_a_runtime_environment_is_shown() -> None:
    explanation = explained(first.options(runtime_env={"env_vars": {"KEY": "secret"}}, label_selector={"zone": "a"}))
    assert "secret" not in str(explanation)
    verdicts = [one.verdict for one in explanation.about("first") if one.topic == "resources"]
    assert verdicts[1:] == ["only on hosts with zone=a", "a runtime environment of its own (env_vars)"]


def test_equal_statements_become_one_line_and_lines_stay_narrow() -> None:
    flow = pr.Flow(several.options(name="a") >> several.options(name="b") >> several.options(name="c"), name="letters")
    text = str(flow.explain(cpus=1))
    assert text.splitlines()[0] == "flow 'letters', planned for 1 CPU; nothing was started"
    assert "  a, b, c: never [default]" in text
    assert max(map(len, text.splitlines())) <= 100
    assert str(flow.explain(cpus=1)) == repr(flow.explain(cpus=1)) == text


def test_every_statement_of_a_choice_has_a_reason() -> None:
    explanation = explained(first >> batched >> pr.route((is_even, waiting), default=several), cpus=3)
    silent = [one for one in explanation.statements if not one.reason]
    assert {one.topic for one in silent} == {"stages"}
    assert str(Statement("order", "flow", "none", "", "decided")) == "flow: none"


def test_explaining_starts_nothing_and_does_not_load_ray() -> None:
    code = """
        import sys, threading
        import penguiray as pr
        def work(x: int) -> int: return x
        flow = pr.Flow(pr.node(work))
        text = str(flow.explain(cpus=3))
        assert "3 replicas" in text
        print(sorted({"ray", "numpy", "pyarrow"} & sys.modules.keys()), threading.active_count())
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] 1"

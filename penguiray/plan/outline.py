"""A plan without the user's code: what a process needs that only sends inputs into a run and takes results."""

from __future__ import annotations

import dataclasses

from penguiray.graph.code import Code
from penguiray.graph.spec import FlowSpec, Shape
from penguiray.plan.plan import Plan

__all__ = ["outline", "spec_of"]


def outline(plan: Plan) -> Plan:
    """The plan with its nodes' names, types and options, and without their functions and constructor arguments."""
    stages = tuple(
        dataclasses.replace(
            stage,
            nodes=tuple(dataclasses.replace(node, code=_NOTHING, arguments=((), {})) for node in stage.nodes),
        )
        for stage in plan.stages
    )
    return dataclasses.replace(plan, stages=stages)


def spec_of(plan: Plan) -> FlowSpec:
    """What a run's handle needs of its flow: the nodes, and which of them take the inputs. It has no edges."""
    nodes = tuple(node for stage in plan.stages for node in stage.nodes)
    sources = tuple(plan.stages[index].first for index in plan.sources)
    return FlowSpec(plan.name, Shape(nodes, (), sources, ()), plan.options)


def _nothing() -> None:
    """Stands for code that is not there."""


_NOTHING = Code(_nothing)

"""penguiray: flows of typed nodes on Ray.

Plain typed functions become nodes, `>>` joins them to a flow, and the flow runs in this process or on a Ray cluster.
Importing this package loads neither ray nor numpy nor pyarrow.
"""

from penguiray.bounded import bounded_map
from penguiray.errors import (
    BudgetExceeded,
    Cancelled,
    DeadlineExceeded,
    FlowError,
    JoinIncomplete,
    LinkClosed,
    ManyResults,
    MessageTooLarge,
    NodeError,
    NoResult,
    NotYetError,
    Overloaded,
    PenguirayError,
    PlacementError,
    RemoteError,
    ReplicaLost,
    ResultError,
    RunClosed,
    StartError,
)
from penguiray.explain.explanation import Explanation, Statement
from penguiray.flow import Flow, attach
from penguiray.graph.back import Back
from penguiray.graph.context import Context
from penguiray.graph.declare import actor, node
from penguiray.graph.node import Graph, Node, fan
from penguiray.graph.policies import Batch, FlowOptions, NodeOptions, Rate, Retry
from penguiray.graph.values import Many, Rows
from penguiray.ingress.dead_letters import DeadLetter
from penguiray.observe.status import NodeStatus, Status
from penguiray.patterns import fold, join, route, switch
from penguiray.run import Run

__version__ = "0.1.0"

__all__ = [
    "Back",
    "Batch",
    "BudgetExceeded",
    "Cancelled",
    "Context",
    "DeadLetter",
    "DeadlineExceeded",
    "Explanation",
    "Flow",
    "FlowError",
    "FlowOptions",
    "Graph",
    "JoinIncomplete",
    "LinkClosed",
    "Many",
    "ManyResults",
    "MessageTooLarge",
    "NoResult",
    "Node",
    "NodeError",
    "NodeOptions",
    "NodeStatus",
    "NotYetError",
    "Overloaded",
    "PenguirayError",
    "PlacementError",
    "Rate",
    "RemoteError",
    "ReplicaLost",
    "ResultError",
    "Retry",
    "Rows",
    "Run",
    "RunClosed",
    "StartError",
    "Statement",
    "Status",
    "actor",
    "attach",
    "bounded_map",
    "fan",
    "fold",
    "join",
    "node",
    "route",
    "switch",
]

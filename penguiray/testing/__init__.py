"""For tests of flows. It is a pytest plugin too, found by pytest wherever penguiray is installed.

Public, like the package itself. May import all of the package; loads neither ray, numpy nor pyarrow until a fixture
or a function that needs them is used, since pytest loads the plugin for every project.
"""

from penguiray.testing.conformance import TransportConformance
from penguiray.testing.faults import MOMENTS, Faults
from penguiray.testing.fixtures import local_engine, ray_cluster, virtual_clock
from penguiray.testing.scripts import Abort, Outcomes, Pause, Recorder, Script, outcomes, script
from penguiray.testing.transports import FaultyTransport, MemoryPair, TransportPair
from penguiray.testing.virtual import VirtualClock, virtual_time

__all__ = [
    "MOMENTS",
    "Abort",
    "Faults",
    "FaultyTransport",
    "MemoryPair",
    "Outcomes",
    "Pause",
    "Recorder",
    "Script",
    "TransportConformance",
    "TransportPair",
    "VirtualClock",
    "local_engine",
    "outcomes",
    "ray_cluster",
    "script",
    "virtual_clock",
    "virtual_time",
]

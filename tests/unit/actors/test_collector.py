"""How long the collector of garbage takes is told while somebody listens."""

from __future__ import annotations

import gc

from penguiray.actors.collector import CollectorWatch


def test_full_collections_are_told_and_no_others_until_the_watch_is_closed() -> None:
    pauses: list[float] = []
    watch = CollectorWatch(pauses.append)
    gc.disable()
    try:
        gc.collect()
        watch.open()
        gc.collect()
        few = pauses.copy()
        gc.collect(1)
        many = [[number] for number in range(300_000)]
        gc.collect()
        watch.close()
        gc.collect()
    finally:
        gc.enable()
    assert len(many) == 300_000
    assert len(few) == 1
    assert len(pauses) == 2
    assert 0 < pauses[0] < pauses[1] < 60
    watch.close()

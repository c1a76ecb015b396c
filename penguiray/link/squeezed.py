"""Packed frames with their bytes compressed, and whole again; see `compression.py` for when."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

from penguiray.link.compression import Codec, Trial
from penguiray.link.wire import Bytes, Packed

__all__ = ["squeezed", "trials_of", "whole"]

_MARK = b"Z"
"""First byte of a header that says how the rest is compressed. A pickle begins with another one."""
_SAMPLE_BYTES = 64 * 1024
_CODECS: tuple[Codec, ...] = ("lz4", "zstd")


def squeezed(packed: Packed, codec: Codec) -> Packed:
    """A frame with its body and its buffers compressed."""
    import pyarrow as pa  # noqa: PLC0415 - takes long to import, and few need it

    header, data, buffers = packed
    sizes = [len(data), *(buffer.nbytes for buffer in buffers)]
    small = [pa.compress(part, codec=codec, asbytes=True) for part in (data, *buffers)]
    return _MARK + pickle.dumps((codec, sizes, header), 5), small[0], [memoryview(part) for part in small[1:]]


def whole(header: Bytes, data: Bytes, buffers: Sequence[Any]) -> tuple[Bytes, Bytes, Sequence[Any]]:
    """A frame as it was before `squeezed`, or as it is if it was not; the buffers are read-only."""
    if header[:1] != _MARK:
        return header, data, buffers
    import pyarrow as pa  # noqa: PLC0415 - see above

    codec, sizes, before = pickle.loads(header[1:])  # noqa: S301 - from a peer of the same run
    parts = [
        memoryview(pa.decompress(part, decompressed_size=size, codec=codec)).toreadonly()
        for part, size in zip((data, *buffers), sizes, strict=True)
    ]
    return before, parts[0], parts[1:]


def trials_of(packed: Packed, now: Callable[[], float]) -> dict[Codec, Trial]:
    """What each codec makes of the beginning of the largest part."""
    import pyarrow as pa  # noqa: PLC0415 - see above

    _, data, buffers = packed
    largest = max((memoryview(data), *buffers), key=lambda part: part.nbytes)
    sample = largest.cast("B")[:_SAMPLE_BYTES]
    found = dict[Codec, Trial]()
    for codec in _CODECS:
        begun = now()
        small = pa.compress(sample, codec=codec)
        between = now()
        pa.decompress(small, decompressed_size=sample.nbytes, codec=codec)
        speeds = [sample.nbytes / max(took_s, 1e-9) for took_s in (between - begun, now() - between)]
        found[codec] = Trial(sample.nbytes / small.size, *speeds)
    return found

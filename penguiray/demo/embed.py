"""Functions as vectors whose angle says how much they have in common."""

import hashlib
import zlib
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, SkipValidation

import penguiray as pr
from penguiray.demo.functions import Place
from penguiray.demo.normalise import Normalised

__all__ = ["BANDS", "Embed", "Embedded", "embed"]

BANDS = 16
_ROWS_PER_BAND = 4
"""16 bands of 4 rows find two functions that share 8 in 10 of their n-grams with a chance of 0.9998, and two that
share 3 in 10 with one of 0.12."""
_NGRAM = 4
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Hashes = npt.NDArray[np.uint64]


class Embedded(BaseModel):
    """A function as a vector, and what finds others like it."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    place: Place
    """Where the function stands."""
    tokens: int
    """Size of its normal form."""
    digest: bytes
    """Equal for functions of equal normal form; 16 bytes."""
    vector: Annotated[npt.NDArray[np.int16], SkipValidation]
    """Shape (dimensions,): signed sums of hashed n-grams. Whole numbers, so sums over them have no order."""
    bands: Annotated[Hashes, SkipValidation]
    """Shape (BANDS,): two functions that have a value in common at the same place are worth comparing."""


class Embed:
    """Hashes the 4-grams of a function's tokens into a vector, and into bands of minimal hashes.

    Equal on every machine: it uses no `hash()`, whose values change from process to process.

    Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009; Broder, "On the Resemblance
    and Containment of Documents", 1997; the bands are from Leskovec et al., "Mining of Massive Datasets", chapter 3.
    """

    def __init__(self, dimensions: int = 256) -> None:
        self._dimensions = dimensions
        self._salts = _mixed(np.arange(1, BANDS * _ROWS_PER_BAND + 1, dtype=np.uint64) * _MULTIPLIER)
        self._words: dict[str, int] = {}

    def __call__(self, functions: list[Normalised]) -> list[Embedded]:
        """Embed a batch of functions."""
        ngrams = [self._ngrams(function.tokens) for function in functions]
        vectors = self._vectors(ngrams)
        bands = self._bands(ngrams)
        return [
            Embedded(
                place=function.place,
                tokens=len(function.tokens),
                digest=hashlib.blake2b("\n".join(function.tokens).encode(), digest_size=16).digest(),
                vector=vector.copy(),
                bands=band.copy(),
            )
            for function, vector, band in zip(functions, vectors, bands, strict=True)
        ]

    def _ngrams(self, tokens: list[str]) -> Hashes:
        """Hashes of the different n-grams of a function."""
        words = np.array([self._word(token) for token in tokens], dtype=np.uint64)
        total = np.zeros(max(1, len(words) - _NGRAM + 1), dtype=np.uint64)
        for offset in range(min(_NGRAM, len(words))):
            total = _mixed(total * _MULTIPLIER + words[offset : offset + len(total)])
        return np.unique(total)

    def _word(self, token: str) -> int:
        known = self._words.get(token)
        if known is None:
            known = self._words[token] = zlib.crc32(token.encode("utf-8", "surrogatepass"))
        return known

    def _vectors(self, ngrams: list[Hashes]) -> npt.NDArray[np.int16]:
        """Shape (n functions, dimensions)."""
        rows = np.repeat(np.arange(len(ngrams)), [len(hashes) for hashes in ngrams])
        hashes = np.concatenate(ngrams)
        columns = (hashes % np.uint64(self._dimensions)).astype(np.int64)
        signs = np.where(hashes >> np.uint64(63), 1, -1).astype(np.int16)
        vectors = np.zeros((len(ngrams), self._dimensions), dtype=np.int16)
        np.add.at(vectors, (rows, columns), signs)
        return vectors

    def _bands(self, ngrams: list[Hashes]) -> Hashes:
        """Shape (n functions, BANDS)."""
        starts = np.cumsum([0, *(len(hashes) for hashes in ngrams[:-1])])
        hashes = np.concatenate(ngrams)
        bands = np.zeros((len(ngrams), BANDS), dtype=np.uint64)
        for number, salt in enumerate(self._salts):
            least = np.minimum.reduceat(_mixed(hashes ^ salt), starts)
            bands[:, number // _ROWS_PER_BAND] = _mixed(bands[:, number // _ROWS_PER_BAND] * _MULTIPLIER + least)
        return bands


def _mixed(values: Hashes) -> Hashes:
    """Spread each value's bits over all 64. Source: the finaliser of Steele et al., "SplitMix", 2014."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


embed = pr.actor(batch=pr.Batch(max_size=256, max_wait_s=0.05), name="embed")(Embed)

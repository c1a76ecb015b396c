"""Near-duplicates over all functions: the end of the flow."""

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

import penguiray as pr
from penguiray.demo.embed import Embedded
from penguiray.demo.functions import Place

__all__ = ["LEAST_SIMILARITY", "Pair", "near_duplicates", "pairs_of"]

LEAST_SIMILARITY = 0.9
"""Cosine from which two functions are paired; below it they begin to look alike in outline only."""
_COPIES = 8
"""Equal functions that are all paired with each other; see `pairs_of`."""
_NEIGHBOURS = 64
"""Functions of one bucket that each is compared with; see `pairs_of`."""
_CHUNK = 8192

Groups = list[list[Embedded]]
Indices = npt.NDArray[np.int64]


class Pair(BaseModel):
    """Two functions that look alike."""

    similarity: float
    """Cosine of their vectors, to 6 digits; 1.0 for equal normal forms."""
    tokens: int
    """Size of the smaller one's normal form."""
    left: Place
    """The one whose place comes first."""
    right: Place
    """The other."""

    @property
    def rank(self) -> tuple[float, int, tuple[str, int], tuple[str, int]]:
        """Orders pairs: the most similar first, of these the largest, then by place."""
        return -self.similarity, -self.tokens, self.left.rank, self.right.rank


def pairs_of(functions: list[Embedded]) -> Iterator[Pair]:
    """Give the pairs of functions that look alike, the same ones in whatever order the functions come.

    Functions of equal normal form are one group. Its first 8 by place are all paired with each other, the further ones
    with the first only, so a group of n gives about n pairs and not n squared.

    Groups that share a band are compared: each with the next 64 of its bucket, ordered by digest. That is every pair
    of a bucket of up to 65 groups; in a larger one, which holds functions with hardly anything of their own, some
    pairs are left out, always the same ones. Two groups that are similar give the pairs of their first members.
    """
    groups = _grouped(functions)
    for group in groups:
        yield from _equal_pairs(group)
    yield from _similar_pairs(groups)


def _grouped(functions: list[Embedded]) -> Groups:
    ordered = sorted(functions, key=lambda function: (function.digest, function.place.rank))
    return [list(group) for _, group in itertools.groupby(ordered, key=lambda function: function.digest)]


def _equal_pairs(group: list[Embedded]) -> Iterator[Pair]:
    for left, right in itertools.combinations(group[:_COPIES], 2):
        yield _pair(left, right, 1.0)
    for further in group[_COPIES:]:
        yield _pair(group[0], further, 1.0)


def _similar_pairs(groups: Groups) -> Iterator[Pair]:
    if len(groups) < 2:
        return
    lefts, rights = _candidates(np.stack([group[0].bands for group in groups]))
    similarities = _cosines(np.stack([group[0].vector for group in groups]), lefts, rights)
    for index in np.flatnonzero(similarities >= LEAST_SIMILARITY):
        left, right = groups[lefts[index]][0], groups[rights[index]][0]
        yield _pair(left, right, float(similarities[index]))


def _candidates(bands: npt.NDArray[np.uint64]) -> tuple[Indices, Indices]:
    """Pairs of rows that share a band, each once and the smaller row first.

    Args:
        bands: Shape (n groups, bands).
    """
    codes = [code for band in bands.T for code in _bucket_neighbours(band)]
    lefts, rights = np.divmod(np.unique(np.concatenate([np.empty(0, dtype=np.int64), *codes])), len(bands))
    return lefts, rights


def _bucket_neighbours(band: npt.NDArray[np.uint64]) -> Iterator[Indices]:
    """Pairs (left, right) of equal values, each as `left * n + right`; the sort keeps rows of a bucket in order."""
    rows = np.argsort(band, kind="stable")
    values = band[rows]
    for distance in range(1, min(_NEIGHBOURS + 1, len(band))):
        is_shared = values[:-distance] == values[distance:]
        if not is_shared.any():
            return
        yield rows[:-distance][is_shared] * len(band) + rows[distance:][is_shared]


def _cosines(vectors: npt.NDArray[np.int16], lefts: Indices, rights: Indices) -> npt.NDArray[np.float64]:
    """Cosines of pairs of rows to 6 digits, below 1 for what is not quite equal.

    Args:
        vectors: Shape (n groups, dimensions).
        lefts: Shape (n pairs,).
        rights: Shape (n pairs,).
    """
    whole = vectors.astype(np.int64)
    squares = np.einsum("ij,ij->i", whole, whole)
    products = [
        np.einsum("ij,ij->i", whole[lefts[at : at + _CHUNK]], whole[rights[at : at + _CHUNK]])
        for at in range(0, len(lefts), _CHUNK)
    ]
    lengths = np.maximum(np.sqrt(squares), 1.0)
    cosines = np.concatenate([np.empty(0), *products]) / (lengths[lefts] * lengths[rights])
    below_one: npt.NDArray[np.float64] = np.minimum(np.round(cosines, 6), 0.999999)
    return below_one


def _pair(one: Embedded, other: Embedded, similarity: float) -> Pair:
    left, right = sorted((one, other), key=lambda function: function.place.rank)
    tokens = min(left.tokens, right.tokens)
    return Pair(similarity=similarity, tokens=tokens, left=left.place, right=right.place)


def _gathered(functions: list[Embedded], function: Embedded) -> list[Embedded]:
    functions.append(function)
    return functions


def _nothing() -> list[Embedded]:
    return []


near_duplicates: pr.Node[Embedded, Pair] = pr.fold(_nothing, _gathered, pairs_of, name="near_duplicates")

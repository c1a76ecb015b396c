import random

import numpy as np
import pytest

from penguiray.demo.duplicates import Pair, pairs_of
from penguiray.demo.embed import BANDS, Embed, Embedded
from penguiray.demo.functions import Place
from penguiray.demo.normalise import Normalised

BODY = [token for number in range(40) for token in f"v . part{number} ( v )".split()]


def place(line: int) -> Place:
    return Place(file="shop.py", line=line, name=f"f{line}")


def embedded(*bodies: list[str]) -> list[Embedded]:
    return Embed()([Normalised(place=place(line), tokens=body) for line, body in enumerate(bodies, start=1)])


def pairs(functions: list[Embedded]) -> list[Pair]:
    return sorted(pairs_of(functions), key=lambda pair: pair.rank)


def lines(found: list[Pair]) -> list[tuple[int, int]]:
    return [(pair.left.line, pair.right.line) for pair in found]


def test_nothing_gives_no_pairs() -> None:
    assert pairs([]) == []
    assert pairs(embedded(BODY)) == []


def test_equal_functions_have_similarity_one_and_like_ones_less() -> None:
    found = pairs(embedded(BODY, BODY, [*BODY, "return", "v"], ["other", *"abcdefghijklmnop"]))

    assert lines(found) == [(1, 2), (1, 3)]
    assert found[0].similarity == 1.0
    assert 0.95 < found[1].similarity < 1.0
    assert found[1].tokens == len(BODY)


def test_functions_of_another_form_but_the_same_vector_are_below_one() -> None:
    found = pairs(embedded(list("ababababab"), list("babababababa")))

    assert [pair.similarity for pair in found] == [0.999999]


@pytest.mark.parametrize("seed", range(5))
def test_order_of_messages_makes_no_difference(seed: int) -> None:
    bodies = [BODY[: 40 + 3 * (number % 40)] for number in range(160)]
    functions = embedded(*bodies)
    expected = pairs(functions)

    random.Random(seed).shuffle(functions)

    assert len(expected) > 160
    assert pairs(functions) == expected


def test_many_copies_give_about_as_many_pairs_as_there_are() -> None:
    found = pairs(embedded(*[BODY] * 100))

    assert len(found) == 8 * 7 // 2 + 92
    assert {pair.left.line for pair in found if pair.right.line > 8} == {1}


def test_large_bucket_gives_each_function_a_bounded_number_of_pairs() -> None:
    vector = np.ones(256, dtype=np.int16)
    bands = np.zeros(BANDS, dtype=np.uint64)
    functions = [
        Embedded(place=place(line), tokens=30, digest=line.to_bytes(16, "big"), vector=vector, bands=bands)
        for line in range(1, 301)
    ]

    found = pairs(functions)

    assert max(pair.right.line - pair.left.line for pair in found) == 64
    assert len(found) == 64 * 300 - 64 * 65 // 2

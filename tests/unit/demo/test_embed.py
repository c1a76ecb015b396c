import subprocess
import sys

import numpy as np

from penguiray.demo.embed import BANDS, Embed, Embedded
from penguiray.demo.functions import Place
from penguiray.demo.normalise import Normalised

PLACE = Place(file="shop.py", line=1, name="f")
TEXT = "def v ( v ) : for v in v : total += v * rate ; return total"


def embedded(*texts: str) -> list[Embedded]:
    return Embed()([Normalised(place=PLACE, tokens=text.split()) for text in texts])


def cosine(one: Embedded, other: Embedded) -> float:
    left, right = one.vector.astype(float), other.vector.astype(float)
    return float(left @ right / np.sqrt((left @ left) * (right @ right)))


def test_shapes_and_types_are_as_promised() -> None:
    (found,) = embedded(TEXT)

    assert (found.vector.shape, found.vector.dtype.name) == ((256,), "int16")
    assert (found.bands.shape, found.bands.dtype.name) == ((BANDS,), "uint64")
    assert (found.tokens, len(found.digest)) == (len(TEXT.split()), 16)


def test_vector_does_not_depend_on_the_batch() -> None:
    (alone,) = embedded(TEXT)
    _, among, _ = embedded("a b c d e f", TEXT, "x")

    assert np.array_equal(alone.vector, among.vector)
    assert np.array_equal(alone.bands, among.bands)


def test_like_functions_have_a_small_angle_and_share_a_band() -> None:
    body = " ".join(f"v . part{number} ( v )" for number in range(40))
    one, near, far = embedded(body, body + " return v", TEXT)

    assert cosine(one, near) > 0.95
    assert (one.bands == near.bands).any()
    assert abs(cosine(one, far)) < 0.4
    assert not (one.bands == far.bands).any()


def test_other_processes_compute_the_same() -> None:
    code = (
        "from penguiray.demo.embed import Embed; from penguiray.demo.functions import Place\n"
        "from penguiray.demo.normalise import Normalised\n"
        f"place = Place(file='shop.py', line=1, name='f'); tokens = {TEXT!r}.split()\n"
        "found = Embed()([Normalised(place=place, tokens=tokens)])[0]\n"
        "print(found.digest.hex(), found.vector.tobytes().hex(), found.bands.tobytes().hex())"
    )
    (here,) = embedded(TEXT)

    there = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()

    assert there == [here.digest.hex(), here.vector.tobytes().hex(), here.bands.tobytes().hex()]

"""What goes into a body comes out of it, and models keep more than their fields."""

from __future__ import annotations

import copyreg
import dataclasses
import pickle
import sys
import types
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from penguiray.link.codec import Body, BodyTooLarge, decode, encode, size_of

T = TypeVar("T")
LIMIT = 1_024


class Inner(BaseModel):
    n: int = 0


class Plain(BaseModel):
    name: str
    size: int = 3
    tags: list[str] = Field(default_factory=list)
    inner: Inner = Inner()


class Derived(Plain):
    more: float = 0.5

    @cached_property
    def shout(self) -> str:
        return self.name.upper()


class Private(BaseModel):
    name: str
    _secret: int = PrivateAttr(default=1)


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str


class Aliased(BaseModel):
    name: str = Field(alias="theName")


class Box(BaseModel, Generic[T]):
    held: T


class OwnPickling(BaseModel):
    name: str

    def __getstate__(self) -> dict[Any, Any]:
        return {**super().__getstate__(), "own": True}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        assert state.pop("own")
        super().__setstate__(state)


@dataclasses.dataclass
class Point:
    x: int
    y: list[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    x: int


def carried(values: list[Any], limit: int = LIMIT) -> list[Any]:
    body = encode(values, inline_limit=limit)
    return decode(body.data, [bytes(buffer) for buffer in body.buffers], body.definitions(set()))


@given(
    st.lists(
        st.builds(Plain, name=st.text())
        | st.builds(Plain, name=st.text(), size=st.integers(), tags=st.lists(st.text()), inner=st.builds(Inner)),
        max_size=20,
    )
)
def test_models_come_back_equal_with_the_fields_that_were_given(models: list[Plain]) -> None:
    back = carried(models)
    assert back == models
    assert [type(model) for model in back] == [Plain] * len(models)
    assert [model.model_fields_set for model in back] == [model.model_fields_set for model in models]
    assert [model.model_dump(exclude_unset=True) for model in back] == [
        model.model_dump(exclude_unset=True) for model in models
    ]


def test_models_that_came_back_are_models_in_every_way() -> None:
    first, second = carried([Plain(name="a"), Plain(name="b", size=1)])
    first.size = 9
    first.tags.append("x")
    assert first.model_fields_set == {"name", "size"}
    assert second.model_fields_set == {"name", "size"}
    assert (second.size, second.tags) == (1, [])
    assert first.model_copy(update={"name": "c"}).name == "c"
    assert "extra" not in repr(first)


@pytest.mark.parametrize(
    "values",
    [
        [Derived(name="a"), Derived(name="b", more=1.5)],
        [Open.model_validate({"name": "a", "more": 1}), Open(name="b")],
        [Frozen(name="a")],
        [Aliased(theName="a")],
        [Box[int](held=1), Box[int](held=2)],
        [Box(held="x")],
        [OwnPickling(name="a")],
        [Plain(name="a"), Inner(n=2), Plain(name="c")],
        [Point(1, [2]), Point(3, [])],
        [Slotted(1)],
        [None, 1, "a", b"b", 1.5, (1, [2]), {"k": {1, 2}}],
        [[Plain(name="a")], {"p": Plain(name="b")}],
        [],
    ],
    ids=lambda values: str(values)[:40],
)
def test_any_value_comes_back_equal(values: list[Any]) -> None:
    back = carried(values)
    assert back == values
    assert [type(value) for value in back] == [type(value) for value in values]


@dataclasses.dataclass
class Base:
    x: int

    @cached_property
    def twice(self) -> int:
        return 2 * self.x


@dataclasses.dataclass
class Below(Base):
    y: list[Any] = dataclasses.field(default_factory=list)
    z: int = dataclasses.field(init=False, default=5)


@dataclasses.dataclass(slots=True)
class Both:
    x: int
    y: Any = dataclasses.field(init=False)


@dataclasses.dataclass(slots=True)
class More(Both):
    z: str = "z"


@dataclasses.dataclass
class Mixed(Both):  # slots of its base, and a dict of its own
    z: int = 1


@dataclasses.dataclass
class Counted:
    x: int
    pickled: int = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "pickled": self.pickled + 1}


@dataclasses.dataclass
class Raised(Exception):
    x: int


@dataclasses.dataclass
class Keyed(dict[str, int]):
    x: int = 0


def more() -> More:
    made = More(1)
    made.y = "set later"
    return made


@pytest.mark.parametrize(
    "value",
    [Point(1, [2]), Slotted(1), Below(1, [Point(2, [])]), more(), Both(3), Base(4), Raised(5), Keyed(6)],
    ids=lambda value: type(value).__name__,
)
def test_dataclasses_come_back_equal_and_can_be_used(value: Any) -> None:
    fields = [field.name for field in dataclasses.fields(value)]
    for back in carried([value] * 3) + carried([value, 1]):
        assert back == 1 or [getattr(back, name, "unset") for name in fields] == [
            getattr(value, name, "unset") for name in fields
        ]
    back = carried([value])[0]
    assert type(back) is type(value)
    if not isinstance(value, Slotted):
        back.x = 9
        assert back.x == 9
        assert value.x != 9
    assert dataclasses.is_dataclass(back)


def test_what_a_dataclass_keeps_beside_its_fields_or_says_about_pickling_is_kept() -> None:
    base, counted, mixed = Base(4), Counted(1), Mixed(1)
    mixed.y = 2
    assert base.twice == 8
    assert carried([base])[0].__dict__ == {"x": 4, "twice": 8}
    assert carried([counted])[0].pickled == 1
    assert carried([mixed]) == [mixed]


@dataclasses.dataclass
class Tree:
    name: str
    parent: Any = None
    children: list[Any] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class SlottedTree:
    name: str
    parent: Any = None
    children: list[Any] = dataclasses.field(default_factory=list)


@pytest.mark.parametrize("cls", [Tree, SlottedTree])
def test_what_a_dataclass_holds_may_refer_to_it_and_to_its_neighbours(cls: Any) -> None:
    root, neighbour = cls("root"), cls("neighbour")
    root.children.append(cls("leaf", parent=root))
    neighbour.children.append(root)
    back, beside = carried([root, neighbour])
    assert back.children[0].parent is back
    assert beside.children[0] is back
    assert (back.name, back.children[0].name) == ("root", "leaf")


def test_a_class_that_says_how_it_is_pickled_in_the_table_of_all_is_pickled_so() -> None:
    @dataclasses.dataclass
    class Tabled:
        x: int

    copyreg.pickle(Tabled, lambda tabled: (Tabled, (tabled.x + 1,)))
    try:
        assert carried([Tabled(1)])[0].x == 2
    finally:
        del copyreg.dispatch_table[Tabled]


def test_private_attributes_extras_and_cached_values_come_along() -> None:
    private = Private(name="a")
    private._secret = 7
    cached = Derived(name="loud")
    assert cached.shout == "LOUD"
    back = carried([private])[0]
    assert back._secret == 7
    assert carried([Open.model_validate({"name": "a", "more": 1})])[0].model_extra == {"more": 1}
    assert carried([cached])[0].__dict__["shout"] == "LOUD"


def test_large_arrays_travel_beside_the_body_and_share_its_memory() -> None:
    array = np.arange(10_000, dtype=np.int64)
    small = np.arange(3)
    body = encode([array, small], inline_limit=LIMIT)
    assert [buffer.nbytes for buffer in body.buffers] == [80_000]
    assert len(body.data) < 5_000
    assert body.nbytes == len(body.data) + 80_000
    back = decode(body.data, body.buffers)
    assert np.shares_memory(back[0], array)
    assert (back[1] == small).all()


def test_large_arrays_in_models_and_tables_travel_beside_the_body_too() -> None:
    table = pa.table({"x": np.arange(10_000)})
    body = encode([table, {"deep": [np.zeros(5_000)]}], inline_limit=LIMIT)
    assert sum(buffer.nbytes for buffer in body.buffers) >= 120_000
    back = decode(body.data, body.buffers)
    assert back[0].equals(table)
    assert (back[1]["deep"][0] == 0).all()


def module_by_value(name: str, code: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__file__ = f"/nowhere/{name}.py"
    sys.modules[name] = module
    exec(compile(code, module.__file__, "exec"), module.__dict__)  # noqa: S102 - stands for a script beside the program
    return module


SCRIPT = """
from pydantic import BaseModel
import dataclasses, enum

class Colour(enum.Enum):
    RED = 1

class Page(BaseModel):
    url: str
    size: int = 0

@dataclasses.dataclass
class Row:
    page: Page
    colour: Colour
"""


def test_classes_that_no_worker_can_import_are_named_in_bodies_and_defined_once_per_link() -> None:
    script = module_by_value("some_script_beside", SCRIPT)
    values = [script.Row(script.Page(url="a" * 20), script.Colour.RED) for _ in range(3)]
    known: set[str] = set()
    first = encode(values, inline_limit=LIMIT)
    definitions = first.definitions(known)
    second = encode([script.Page(url="b")], inline_limit=LIMIT)
    assert sorted(name.partition("-")[0] for name, _ in definitions) == ["Colour", "Page", "Row"]
    assert second.definitions(known) == ()
    assert len(second.data) < 200
    back = decode(first.data, (), definitions)
    assert back == values
    assert type(back[0]) is script.Row
    assert back[0].colour is script.Colour.RED


def test_a_class_of_a_function_comes_back_as_itself() -> None:
    class Local(BaseModel):
        x: int

    values = [Local(x=1), Local(x=2)]
    back = carried(values)
    assert back == values
    assert type(back[0]) is Local


def test_functions_in_a_body_and_methods_of_its_classes_keep_their_file_names() -> None:
    class Halves:
        def __call__(self, x: int) -> int:
            return x // 2

    sent = Halves.__call__
    body = encode([lambda x: x // 2, Halves()], inline_limit=LIMIT)
    (definition,) = (data for name, data in body.definitions(set()) if "Halves" in name)
    assert pickle.loads(definition) is Halves  # noqa: S301 - pickled just now
    back = decode(body.data)
    assert [function(8) for function in back] == [4, 4]
    assert Halves.__call__ is not sent
    assert back[0].__code__.co_filename == __file__
    assert Halves.__call__.__code__.co_filename == __file__


def test_the_size_of_a_value_is_that_of_its_body_and_a_limit_stops_before_more_is_copied() -> None:
    for value in (b"x" * 1_000_000, np.zeros(100_000), {"a": [1, 2, 3]}):
        body = encode([value], inline_limit=1_000)
        assert size_of(value) == pytest.approx(body.nbytes, abs=100)
        assert encode([value], inline_limit=1_000, limit=body.nbytes).nbytes == body.nbytes
        with pytest.raises(BodyTooLarge):
            encode([value, b"more" * 100], inline_limit=1_000, limit=body.nbytes)


def test_a_value_that_cannot_be_pickled_raises_where_it_is_encoded() -> None:
    with pytest.raises(TypeError):
        encode([iter(int, 1), (x for x in [1])], inline_limit=LIMIT)
    assert isinstance(encode([1], inline_limit=LIMIT), Body)

"""Code of a script, and of modules beside it, runs in workers that can import neither."""

from __future__ import annotations

from pathlib import Path

from drivers import Driver, write_script

SHAPES = '''
    """A module beside the script, which no worker can import."""

    from __future__ import annotations

    import enum
    from dataclasses import dataclass, field

    import penguiray as pr
    from pydantic import BaseModel

    class Unit(enum.Enum):
        CM = "cm"
        INCH = "inch"

    class Corner(BaseModel):
        x: float
        y: float

    class Polygon(BaseModel):
        """A model in a model in a list."""

        corners: list[Corner]
        unit: Unit = Unit.CM
        inner: Polygon | None = None

    @dataclass(frozen=True)
    class Area:
        polygon: Polygon
        size: float
        notes: list[str] = field(default_factory=list)

    class TooFewCorners(ValueError):
        def __init__(self, polygon: Polygon, needed: int) -> None:
            super().__init__(f"{len(polygon.corners)} corners, {needed} needed")
            self.polygon = polygon
            self.needed = needed

    FACTOR = 0.5

    def twice_signed(corners: list[Corner]) -> float:
        pairs = zip(corners, corners[1:] + corners[:1])
        return sum(a.x * b.y - b.x * a.y for a, b in pairs)

    @pr.node(fuse=False, replicas=1)
    def measure(polygon: Polygon) -> Area:
        import sys
        assert polygon.unit in (Unit.CM, Unit.INCH)
        assert type(polygon.corners[0]) is Corner
        if len(polygon.corners) < 3:
            raise TooFewCorners(polygon, 3)
        return Area(polygon, FACTOR * abs(twice_signed(polygon.corners)), [str("shapes" in sys.modules)])
'''

SCRIPT = """
    import enum, sys
    from dataclasses import dataclass
    from pydantic import BaseModel

    import penguiray as pr
    import shapes
    from shapes import Area, Corner, Polygon, TooFewCorners, Unit, measure

    class Kind(enum.Enum):
        SMALL = 1
        LARGE = 2

    class Label(BaseModel):
        kind: Kind
        text: str = ""

    class Labelled(BaseModel):
        area: Area
        label: Label

    @dataclass
    class Wrapped:
        labelled: Labelled
        level: int = 0

    class NotWanted(Exception):
        pass

    LIMIT = 10.0

    def kind_of(size: float) -> Kind:
        return Kind.LARGE if size > LIMIT else Kind.SMALL

    @pr.node(fuse=False, replicas=1)
    def label(area: Area) -> Labelled:
        assert isinstance(area, Area) and isinstance(area.polygon, Polygon)
        if area.size == 0:
            raise NotWanted(area.size)
        return Labelled(area=area, label=Label(kind=kind_of(area.size)))

    class Wrap:
        def __init__(self, level: int) -> None:
            self.level = level

        def __call__(self, labelled: Labelled) -> Wrapped:
            assert labelled.label.kind is Kind(labelled.label.kind.value)
            return Wrapped(labelled, self.level)

    def polygon(*corners, **options):
        return Polygon(corners=[Corner(x=x, y=y) for x, y in corners], **options)

    inner = polygon((0, 0), (1, 0), (1, 1))
    square = polygon((0, 0), (4, 0), (4, 4), (0, 4), inner=inner, unit=Unit.INCH)
    flat = polygon((0, 0), (1, 0), (2, 0))
    line = polygon((0, 0), (1, 0))

    flow = pr.Flow(measure >> label >> pr.actor(replicas=1, fuse=False)(Wrap)(7), name="travels")
    with flow.start() as run:
        found = run.ask(square)
        assert type(found) is Wrapped and found.level == 7, found
        assert type(found.labelled) is Labelled
        assert found.labelled.label == Label(kind=Kind.LARGE)
        assert found.labelled.label.kind is Kind.LARGE
        area = found.labelled.area
        assert type(area) is Area and type(area) is shapes.Area
        assert area.size == 16 and area.polygon == square
        assert type(area.polygon) is Polygon and type(area.polygon.inner) is Polygon
        assert type(area.polygon.inner.corners[0]) is Corner
        assert area.polygon.unit is Unit.INCH
        assert area.notes == ["False"], "the worker could import shapes, so this test shows nothing"

        for bad, kind in ((flat, NotWanted), (line, TooFewCorners)):
            try:
                run.ask(bad)
            except pr.NodeError as error:
                assert type(error.__cause__) is kind, repr(error.__cause__)
                assert isinstance(error.__cause__, kind)
                if kind is TooFewCorners:
                    assert type(error.__cause__.polygon) is Polygon
                    assert error.__cause__.polygon == line and error.__cause__.needed == 3
            else:
                raise AssertionError("no error")

        results = list(run.map([square, flat, inner, line], ordered=True, on_error="yield"))
        assert [type(result) for result in results] == [Wrapped, pr.NodeError, Wrapped, pr.NodeError], results
        assert results[2].labelled.label.kind is Kind.SMALL
        assert [type(letter.value) for letter in run.dead_letters()[-2:]] in ([Area, Polygon], [Polygon, Area])
    print("ALL RIGHT")
"""


def test_classes_of_a_script_and_of_a_module_beside_it_come_home_as_themselves(
    ray_cluster: str, tmp_path: Path
) -> None:
    folder, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_script(folder, SHAPES, "shapes.py")
    script = write_script(folder, SCRIPT)

    with Driver(script, cwd=elsewhere, env={"RAY_ADDRESS": ray_cluster}) as driver:
        assert driver.ended(60) == 0, driver.output

    assert driver.lines[-1] == "ALL RIGHT", driver.output


LINKED_MODELS = """
    from __future__ import annotations

    from pydantic import BaseModel

    import penguiray as pr

    class Branch(BaseModel):
        leaves: list[Leaf] = []

    class Vein(BaseModel):
        width: int = 0

    class Leaf(BaseModel):
        grows_on: Branch | None = None
        vein: Vein | None = None

    Branch.model_rebuild()

    @pr.node(fuse=False)
    def grow(branch: Branch) -> Leaf:
        assert type(branch) is Branch
        return Leaf(grows_on=branch, vein=Vein.model_validate({"width": "3"}))

    @pr.node(fuse=False)
    def count(leaf: Leaf) -> Leaf:
        assert leaf.grows_on is not None
        return Leaf.model_validate_json(leaf.model_dump_json())

    branch = Branch(leaves=[Leaf(), Leaf(vein=Vein(width=2))])
    [leaf] = pr.Flow(grow >> count).collect([branch])
    assert type(leaf) is Leaf and leaf == Leaf(grows_on=branch, vein=Vein(width=3)), leaf
    print("ALL RIGHT")
"""


def test_models_that_refer_to_one_another_travel(ray_cluster: str, tmp_path: Path) -> None:
    # Pydantic's and cloudpickle's own ways together lose parts of their schemas; see `link.classes`.
    script = write_script(tmp_path / "project", LINKED_MODELS)

    with Driver(script, cwd=tmp_path, env={"RAY_ADDRESS": ray_cluster}) as driver:
        assert driver.ended(60) == 0, driver.output

    assert driver.lines[-1] == "ALL RIGHT", driver.output

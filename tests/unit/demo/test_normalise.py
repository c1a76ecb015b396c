import textwrap

from penguiray.demo.functions import Function, Place
from penguiray.demo.normalise import normal_form, normalise


def normal(source: str) -> str:
    return normal_form(textwrap.dedent(source).strip("\n"))


def test_local_names_annotations_comments_and_docstrings_make_no_difference() -> None:
    one = normal("""
        def total(prices: list[int], *, rate: float = 1.0) -> float:
            '''Sum up.'''
            result = 0  # nothing yet
            for price in prices:
                result += price * rate
            return result
        """)
    other = normal("""
        def weight(boxes, *, factor=1.0):
            kilos = 0
            for box in boxes:
                kilos += box * factor
            return kilos
        """)

    assert one == other


def test_names_from_outside_attributes_and_constants_stay() -> None:
    text = normal("""
        def read(path):
            global last
            last = open(path, "rb").peek(16)
        """)

    assert text == "def v(v):\n    global v\n    last = open(v, 'rb').peek(16)"


def test_names_of_handlers_and_inner_functions_are_local() -> None:
    text = normal("""
        def call(function):
            def inner(x):
                return x
            try:
                return function(inner)
            except OSError as error:
                return error
        """)

    assert {"v", "OSError"} >= set(text.split()) & {"v", "OSError", "inner", "error", "function", "x"}


def test_function_that_is_only_a_docstring_is_left_with_pass() -> None:
    assert normal("def f():\n    '''Nothing.'''\n") == "def v():\n    pass"


def test_indented_source_keeps_its_strings_over_several_lines() -> None:
    text = normal_form('    def usage(self):\n        print("""\nusage:\n  tool""")\n        return 2')

    assert r"'\nusage:\n  tool'" in text or '"""\nusage:\n  tool"""' in text


def test_functions_that_say_little_are_left_out() -> None:
    place = Place(file="shop.py", line=1, name="f")
    short = Function(place=place, source="def f(a):\n    b = a\n    return b")
    longer = Function(place=place, source="def f(a):\n    return [" + ", ".join("abcdefghijklmno") + "]")

    assert normalise(short) is None
    found = normalise(longer)
    assert found is not None
    assert found.tokens[:4] == ["def", "v", "(", "v"]

import textwrap

import pytest

from penguiray.demo.functions import Function, split
from penguiray.demo.modules import Module


def functions_of(text: str) -> list[Function]:
    return list(split(Module(file="shop.py", text=textwrap.dedent(text))))


def test_methods_carry_the_names_of_their_classes() -> None:
    found = functions_of("""\
        class Shop:
            class Till:
                def close(self):
                    self.open = False
                    self.count()
        """)

    assert [str(function.place) for function in found] == ["shop.py:3 Shop.Till.close"]


def test_functions_under_conditions_handlers_and_cases_are_found() -> None:
    found = functions_of("""\
        try:
            import fast
        except ImportError:
            def one():
                a = 1
                return a
        match fast:
            case None:
                async def two():
                    b = 2
                    return b
        """)

    assert [function.place.name for function in found] == ["one", "two"]


def test_function_inside_a_function_belongs_to_the_outer_one() -> None:
    found = functions_of("""\
        def outer():
            def inner():
                a = 1
                return a
            return inner
        """)

    assert [function.place.name for function in found] == ["outer"]
    assert "inner" in found[0].source


def test_functions_of_two_lines_are_left_out() -> None:
    assert functions_of("def size(self):\n    return self._size\n") == []


def test_source_begins_at_def_and_keeps_lines_after_a_form_feed() -> None:
    found = functions_of("x = 1\n\f\n@cached\ndef one(a):\n    b = a\n    return b\n\ny = 2\n")

    assert found[0].place.line == 4
    assert found[0].source == "def one(a):\n    b = a\n    return b"


def test_broken_module_raises_what_python_says_of_it() -> None:
    with pytest.raises(SyntaxError, match=r"never closed"):
        functions_of("def total(prices:\n")

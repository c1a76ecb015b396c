import pytest

from penguiray.demo.functions import Function, split
from penguiray.demo.modules import ModuleFile, broken_files, read, stdlib_files


def read_and_split(file: ModuleFile) -> list[Function]:
    module = read(file)
    assert module is not None
    return list(split(module))


def test_library_has_its_modules_and_not_its_tests() -> None:
    files = [module.file for module in stdlib_files()]

    assert {"heapq.py", "email/message.py"} <= set(files)
    assert not {"test", "tests", "idle_test", "site-packages"} & {part for file in files for part in file.split("/")}
    assert files == sorted(set(files))


def test_limit_takes_the_first() -> None:
    assert stdlib_files(3) == stdlib_files()[:3]


@pytest.mark.parametrize(
    ("file", "error"),
    [
        ("broken/bad_indentation.py.txt", IndentationError),
        ("broken/not_utf8.py.txt", UnicodeDecodeError),
        ("broken/unclosed_bracket.py.txt", SyntaxError),
    ],
)
def test_broken_files_are_broken_in_three_ways(file: str, error: type[Exception]) -> None:
    (module,) = (module for module in broken_files() if module.file == file)

    with pytest.raises(error):
        read_and_split(module)


def test_broken_files_are_three() -> None:
    assert len(broken_files()) == 3

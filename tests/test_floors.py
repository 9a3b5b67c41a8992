"""A folder imports only from lower floors; the table is the one in docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "stainbridge"
FLOORS = {
    0: (
        "causes",
        "errors",
        "types",
        "locks",
        "partial",
        "processes",
        "whole",
        "fingerprint",
        "regular",
        "json_values",
        "ranges",
        "settings",
        "progress",
        "compute",
    ),
    1: ("geometry",),
    2: ("imaging", "similarity", "learn"),
    3: ("slides", "metrics", "nn"),
    4: ("phantom", "registration", "translation"),
    5: ("joint", "pairing", "stack", "datasets", "evaluate", "report", "viewer"),
    6: ("jobs",),
    7: ("cohort",),
    8: ("cli", "arguments"),
    9: ("api",),
    10: ("__init__", "__main__"),
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}
#: Progress bars, plots, pages, servers and argument parsing belong to floor 5 and above.
SHOWING = {
    "rich",
    "tqdm",
    "matplotlib",
    "jinja2",
    "fastapi",
    "uvicorn",
    "typer",
    "click",
    "argparse",
}
SHOWING_FROM = 5


def room(path: Path) -> str:
    """The folder or top-level module a source file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(tree: ast.Module, package: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Dotted names of all imported modules and their lines, wherever in the file they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *([node.module] if node.module else [])))
            yield from ((f"{stem}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (
                (str(arg.value), node.lineno) for arg in node.args if isinstance(arg, ast.Constant)
            )


def violations(path: Path, text: str) -> list[str]:
    here = room(path)
    package = ("stainbridge", *path.relative_to(SOURCE).parts[:-1])
    found = []
    for name, line in imported(ast.parse(text), package):
        top, *rest = name.split(".")
        if top in SHOWING and FLOOR_OF[here] < SHOWING_FROM:
            found.append(f"{path.name}:{line} floor {FLOOR_OF[here]} imports {top}")
        if top != "stainbridge" or not rest or rest[0] == here:
            continue
        there = rest[0] if rest[0] in FLOOR_OF else "__init__"
        if FLOOR_OF[there] >= max(1, FLOOR_OF[here]):  # the words of floor 0 may use each other
            floors = f"floor {FLOOR_OF[here]} imports floor {FLOOR_OF[there]}"
            found.append(f"{path.name}:{line} {here} imports {name}: {floors}")
    return found


SOURCES = sorted(SOURCE.rglob("*.py"))


def test_every_room_has_a_floor() -> None:
    assert {room(path) for path in SOURCES} <= set(FLOOR_OF)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_only_from_lower_floors(path: Path) -> None:
    assert violations(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "statement",
    [
        "from stainbridge.slides.open import open_slide",
        "import stainbridge.registration.pipeline",
        "def f():\n    from stainbridge.cli import main",
        "if TYPE_CHECKING:\n    from stainbridge.registration import result",
        "from ..slides import open",
        "from stainbridge import load",
        "importlib.import_module('stainbridge.report')",
        "import rich.progress",
        "from tqdm import tqdm",
    ],
)
def test_the_check_sees_every_kind_of_import(statement: str) -> None:
    assert violations(SOURCE / "geometry" / "frame.py", statement)


@pytest.mark.parametrize(
    "statement",
    [
        "from stainbridge.errors import InputError",
        "from stainbridge.geometry import field",
        "import numpy",
    ],
)
def test_the_check_allows_lower_floors_and_the_own_room(statement: str) -> None:
    assert violations(SOURCE / "geometry" / "frame.py", statement) == []


def test_the_table_is_the_documented_one() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {
        path: FLOOR_OF[path] for path in {room(path) for path in SOURCES} - {"__init__", "__main__"}
    }
    rows = {
        cells[1].strip(): int(cells[0])
        for line in text.splitlines()
        if (cells := line.strip("| ").split("|")) and cells[0].strip().isdigit()
    }
    documented = {name.strip(): floor for names, floor in rows.items() for name in names.split(",")}
    assert {name: documented.get(name) for name in rooms} == rooms

"""Dataclasses to YAML and back, every mistake named."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from stainbridge.errors import InputError
from stainbridge.settings import build, merge, plain, read_yaml, to_yaml


@dataclass(frozen=True)
class Round:
    kind: Literal["round"] = "round"
    radius: float = 1.0


@dataclass(frozen=True)
class Square:
    kind: Literal["square"] = "square"
    side: int = 2


@dataclass(frozen=True)
class Table:
    name: str = "table"
    legs: tuple[float, ...] = (1.0, 2.0)
    size: tuple[int, int] = (3, 4)
    folded: bool = False
    price: float | None = None
    top: Round | Square = field(default_factory=Round)


def test_yaml_round_trip(tmp_path: Path) -> None:
    table = Table(legs=(1e-4, 3), price=2.5, top=Square(side=7), folded=True)
    path = tmp_path / "table.yaml"
    path.write_text(to_yaml(table), encoding="utf-8")
    assert build(Table, read_yaml(path), path) == table


def test_a_number_that_yaml_reads_as_text() -> None:
    assert build(Table, {"price": "1e-4"}, "f").price == 1e-4


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"colour": 1}, "f: colour: unknown key"),
        ({"top": {"kind": "square", "radius": 1}}, "f: top: radius: unknown key"),
        ({"top": {"kind": "oval"}}, "f: top: unknown kind; expected round, square; got oval"),
        ({"name": 3}, "f: name: wrong type"),
        ({"folded": 1}, "f: folded: wrong type"),
        ({"size": [1, 2, 3]}, "f: size: wrong type"),
        ({"size": [1, True]}, "f: size: wrong type"),
        ({"legs": ["long"]}, "f: legs: wrong type; expected a number; got long"),
        (
            {"top": {"kind": "square", "side": 1.5}},
            "f: top: side: wrong type; expected int; got 1.5",
        ),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"^{said}"):
        build(Table, values, "f")


def test_merging_keeps_what_is_not_named_and_replaces_another_kind() -> None:
    base = plain(Table())
    assert merge(base, {"top": {"radius": 3.0}})["top"] == {"kind": "round", "radius": 3.0}
    assert merge(base, {"top": {"kind": "square"}})["top"] == {"kind": "square"}
    assert merge(base, {"name": "desk"}) == {**base, "name": "desk"}


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [1\n", "\x00"])
def test_what_is_no_configuration(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"bad\.yaml"):
        read_yaml(path)

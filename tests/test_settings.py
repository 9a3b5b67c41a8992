"""Dataclasses to YAML and back, every mistake named."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from stainbridge.errors import InputError
from stainbridge.settings import build, merge, read_yaml, to_dict, to_yaml


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
        ({"folder": True}, r"f: folder: unknown key; expected .*; did you mean folded\?"),
        ({"top": {"kind": ["round"]}}, r"f: top: unknown kind; expected round, square; got \["),
        ({"top": 3}, "f: top: wrong type; expected keys and values; got 3"),
        ({"legs": 3}, "f: legs: wrong type; expected a list; got 3"),
        ({"price": 10**400}, "f: price: wrong type; expected a number; got 10000"),
        ({"top": {"kind": "oval"}}, "f: top: unknown kind; expected round, square; got oval"),
        ({"name": 3}, "f: name: wrong type"),
        ({"folded": 1}, "f: folded: wrong type"),
        ({"size": [1, 2, 3]}, "f: size: wrong type"),
        ({"size": [1, True]}, "f: size: wrong type"),
        ({"legs": ["long"]}, "f: legs: wrong type; expected a number; got long"),
        (
            {"top": {"kind": "square", "side": 1.5}},
            "f: top: side: wrong type; expected a whole number; got 1.5",
        ),
    ],
)
def test_mistakes_are_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"^{said}"):
        build(Table, values, "f")


def test_merging_keeps_what_is_not_named_and_replaces_another_kind() -> None:
    base = to_dict(Table())
    assert merge(base, {"top": {"radius": 3.0}})["top"] == {"kind": "round", "radius": 3.0}
    assert merge(base, {"top": {"kind": "square"}})["top"] == {"kind": "square"}
    assert merge(base, {"name": "desk"}) == {**base, "name": "desk"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: a\nlegs: [1]\nname: b\n", "bad.yaml: name: a key twice; got again in line 3"),
        ("top: {kind: round, kind: square}\n", "bad.yaml: kind: a key twice"),
        ("tops: [{side: 1}, {side: 1, side: 2}]\n", "bad.yaml: side: a key twice"),
    ],
)
def test_a_key_that_is_there_twice(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [1\n", "\x00"])
def test_what_is_no_configuration(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"bad\.yaml"):
        read_yaml(path)


@dataclass(frozen=True)
class Lamp:
    FORMER_NAMES: ClassVar[dict[str, str]] = {"glow": "power_w", "shade": "cover"}

    power_w: float = 40.0
    cover: Square = field(default_factory=Square)


def test_files_with_former_names_of_fields_still_load() -> None:
    assert build(Lamp, {"glow": 60}, "f") == Lamp(power_w=60.0)
    over = merge(to_dict(Lamp(cover=Square(side=5))), {"glow": 25, "shade": {"side": 3}})
    assert build(Lamp, over, "f") == Lamp(power_w=25.0, cover=Square(side=3))
    with pytest.raises(InputError, match="f: shine: unknown key; expected cover, power_w"):
        build(Lamp, {"shine": 1}, "f")


class Shape:
    """What `Round` and `Square` are; a table says so."""

    @classmethod
    def kinds(cls) -> dict[str, type[Round] | type[Square]]:
        return {"round": Round, "square": Square}


@dataclass(frozen=True)
class Drawing:
    shape: Shape


def test_a_field_may_be_any_kind_of_a_table() -> None:
    assert build(Drawing, {"shape": {"kind": "square", "side": 3}}, "f").shape == Square(side=3)
    with pytest.raises(InputError, match="f: shape: unknown kind; expected round, square; got o"):
        build(Drawing, {"shape": {"kind": "oval"}}, "f")

"""Each value of each settings file, made wrong in every way, is one line that names its key."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from stainbridge.cli.main import run
from stainbridge.errors import InputError
from stainbridge.joint.sar.config import SarTraining
from stainbridge.joint.sbr.config import SbrTraining
from stainbridge.joint.sbr.table import VARIANTS
from stainbridge.nn.networks import DEFORMABLE_NETWORKS
from stainbridge.registration.config import PRESETS, RegisterConfig
from stainbridge.registration.training.config import AffineTraining, DeformableTraining
from stainbridge.settings import build, to_dict
from stainbridge.translation.objectives.table import OBJECTIVES
from stainbridge.translation.sharpening.config import SharpenTraining
from stainbridge.translation.training.config import TranslationTraining

#: Where a value is in a file: keys, and numbers of list items.
Place = tuple[str | int, ...]

FILES: dict[str, Any] = {
    **{f"register {name}": preset for name, preset in PRESETS.items()},
    "train affine": AffineTraining.preset("small"),
    **{
        f"train deformable {name}": DeformableTraining.preset("small", name)
        for name in DEFORMABLE_NETWORKS
    },
    **{f"train translate {name}": TranslationTraining.preset(name, "small") for name in OBJECTIVES},
    **{f"train sbr {name}": SbrTraining.preset("small", name) for name in VARIANTS},
    "train sar": SarTraining.preset("small"),
    "train sar dirnet": SarTraining.preset("small").with_comparator("small", "dirnet"),
    "train sharpen": SharpenTraining.preset("small", 2),
}
#: What no number may be; others are tried in `test_ranges`.
NO_NUMBERS = (math.nan, -1e300, 10**400, "many", {"a": 1})
#: What no text, and no switch, may be.
NO_TEXTS = (3, [1])


def iterate_places(values: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield every value of a file that is no mapping; of lists of numbers the first one."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from iterate_places(value, (*place, key))
    elif isinstance(values, list) and values and isinstance(values[0], Mapping):
        for number, value in enumerate(values):
            yield from iterate_places(value, (*place, number))
    elif isinstance(values, list) and values:
        yield (*place, 0), values[0]
    else:
        yield place, values


def name_kinds(values: Any, place: Place) -> Iterator[str]:
    """Yield the `kind` of what each key of a place belongs to."""
    for key in place:
        if isinstance(values, Mapping):
            yield str(values.get("kind"))
        values = values[key]


def choose_places() -> dict[str, list[tuple[Place, Any]]]:
    """Return the values of each file that no file before it has too."""
    seen = set()
    chosen: dict[str, list[tuple[Place, Any]]] = {name: [] for name in FILES}
    for name, settings in FILES.items():
        values = to_dict(settings)
        for place, value in iterate_places(values):
            key = (type(settings), place, *name_kinds(values, place))
            if value != [] and key not in seen:
                chosen[name].append((place, value))
                seen.add(key)
    return chosen


PLACES = choose_places()


def put(values: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(values)
    inner: Any = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


def list_wrong_values(value: Any) -> tuple[object, ...]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None:  # a number, text or settings that may be left out
        return ([[[]]],)
    return NO_NUMBERS if is_number else NO_TEXTS


def refuse(kind: type[Any], values: dict[str, Any]) -> str:
    with pytest.raises(InputError) as caught:
        build(kind, values, "file.yaml")
    said = str(caught.value)
    assert said.startswith("file.yaml: ")
    assert "\n" not in said
    return said


def test_the_values_are_found() -> None:
    assert sum(map(len, PLACES.values())) > 400


@pytest.mark.parametrize("name", FILES)
def test_every_value_that_is_wrong_is_one_line_that_names_its_key(name: str) -> None:
    settings = FILES[name]
    values = to_dict(settings)
    assert build(type(settings), values, "file.yaml") == settings
    for place, value in PLACES[name]:
        key = next(part for part in reversed(place) if isinstance(part, str))
        for wrong in list_wrong_values(value):
            said = refuse(type(settings), put(values, place, wrong))
            assert key in said or key == "kind", (place, wrong, said)


@pytest.mark.parametrize("name", FILES)
def test_every_misspelled_key_is_one_line_that_names_the_right_one(name: str) -> None:
    settings = FILES[name]
    values = to_dict(settings)
    for place, value in PLACES[name]:
        *parents, key = (part for part in place if isinstance(part, str))
        around = place[: len(place) - 1 if place[-1] == key else -2]
        said = refuse(type(settings), put(values, (*around, f"{key}x"), value))
        assert f"{key}x: unknown key; expected " in said
        assert f"did you mean {key}?" in said
        assert all(parent in said for parent in parents)


COMMANDS = {
    "register": "register --fixed a.png --moving b.png --pipeline file.yaml --out out",
    **{
        name: f"{name} --config file.yaml --out out"
        for name in (
            "train affine",
            "train deformable",
            "train translate",
            "train sbr",
            "train sar",
            "train sharpen",
        )
    },
}
BROKEN = {
    "train: {steps: .nan}": "steps",
    "train: {steps: -1}": "steps",
    "train: {save_every_s: .inf}": "save_every_s",
    "train: {batch: many}": "batch",
    "train: {bacth: 2}": "did you mean batch?",
    "train: 3": "keys and values",
    "train: [1]": "keys and values",
    "3: 4": "unknown key",
    "[1, 2]": "not a configuration",
    "{": "cannot be read as YAML",
    "": "not a configuration",
}
BROKEN_PIPELINES = {
    "seed: .nan": "seed",
    "working_px: 1": "working_px",
    "max_rotation_deg: .inf": "max_rotation_deg",
    "working_px: wide": "working_px",
    "wroking_px: 800": "did you mean working_px?",
    "stages: 3": "stages",
    "stages: [{kind: [search]}]": "unknown kind",
    "stages: [search]": "stages",
    "[1, 2]": "not a configuration",
    "": "not a configuration",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_ends_with_2_and_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for slide in ("a.png", "b.png"):
        Path(slide).write_bytes(b"no picture yet")
    broken = BROKEN_PIPELINES if name == "register" else BROKEN
    for text, word in broken.items():
        Path("file.yaml").write_text(text, encoding="utf-8")
        assert run(COMMANDS[name].split()) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith("error: file.yaml: ")
        assert output.err.count("\n") == 1
        assert word in output.err
        assert not Path("out").exists()


def test_the_presets_are_files(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(to_dict(PRESETS["fast"])), encoding="utf-8")
    assert RegisterConfig.from_yaml(path) == PRESETS["fast"]

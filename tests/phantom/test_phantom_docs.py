"""The code of docs/phantom.md is run, and its pictures and commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from stainbridge.cli.main import run
from stainbridge.phantom.pairs.difficulty import DIFFICULTIES
from stainbridge.phantom.staining.library import STAINS
from stainbridge.phantom.tissue.organs import ORGANS

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "phantom.md").read_text(encoding="utf-8")


def test_the_snippets_run() -> None:
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.S):
        exec(block, names)
    assert names["usable"].any()
    assert names["classes"].max() > 0
    np.testing.assert_allclose(names["moving_um"], generated_landmarks(), atol=0.01)
    assert len(names["regions"]) == 3
    assert names["patches"][0].fixed.shape == (3, 128, 128)
    assert [case.id for case in names["cases"]] == ["slice_000", names["slice_pair"].name]


def generated_landmarks() -> Any:
    from stainbridge.phantom.pairs.pair import generate_pair

    pair = generate_pair(
        seed=3, size_px=512, mpp=8.0, fixed_stain="HE", moving_stain="Ki67", organ="kidney"
    )
    return pair.moving_landmarks.points_um


@pytest.mark.parametrize(
    ("title", "folder", "usual", "small"),
    [
        ("A data set", "phantoms", "--size 512", "--size 128 --mpp 16"),
        ("A stack of slices", "stack", "--slices 24", "--slices 1 --size 128"),
    ],
)
def test_the_command_writes_what_the_table_names(
    title: str,
    folder: str,
    usual: str,
    small: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    section = TEXT.split(f"## {title}\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.S)
    assert usual in block
    command = shlex.split(block.replace(usual, small))
    assert command[0] == "stainbridge"
    assert run(command[1:]) == 0
    table = section.split("| file | is |")[1].split("\n\n")[0]
    for row in re.findall(r"^\| (`\S+`(?:, `\S+`)*) \|", table, re.M):
        for pattern in re.findall(r"`(\S+?)`", row):
            assert list((tmp_path / folder).glob(pattern)), pattern


def test_everything_there_is_to_choose_is_named() -> None:
    assert all(name in TEXT for name in ORGANS)
    assert all(f"`{name}`" in TEXT for name in [*STAINS, *DIFFICULTIES])


@pytest.mark.parametrize(("name", "side_px"), [("gallery", 1000), ("stack", 700)])
def test_the_pictures_are_there_and_small(name: str, side_px: int) -> None:
    path = DOCS / "images" / f"phantom-{name}.jpg"
    assert f"images/{path.name}" in TEXT
    assert path.stat().st_size < 1.5e6
    with PIL.Image.open(path) as picture:
        assert min(picture.size) > side_px

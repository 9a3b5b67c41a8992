"""Weights by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from stainbridge.errors import InputError
from stainbridge.learn.shipped import FOLDER, shipped, weights_path
from stainbridge.learn.weights import read

#: What a clone may weigh for each network.
MOST_BYTES = 16 * 2**20


def test_a_path_is_itself(tmp_path: Path) -> None:
    assert weights_path(str(tmp_path)) == tmp_path
    assert weights_path("nowhere/run") == Path("nowhere/run")
    assert weights_path("lost.safetensors") == Path("lost.safetensors")


def test_a_folder_of_ones_own_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    (tmp_path / "a-run").mkdir()
    for name in ("mine", *shipped()):
        (tmp_path / f"{name}.safetensors").touch()
        assert weights_path(name) == tmp_path / f"{name}.safetensors"
    assert weights_path("a-run") == tmp_path / "a-run"


def test_another_name_is_one_line_that_names_what_there_is() -> None:
    with pytest.raises(InputError, match="nonsense: no weights of that name"):
        weights_path("nonsense")


@pytest.mark.parametrize("name", shipped())
def test_shipped_weights_can_be_read_and_are_small(name: str) -> None:
    path = weights_path(name)
    assert path.stat().st_size < MOST_BYTES
    assert read(path).task in ("affine", "deformable", "translate")

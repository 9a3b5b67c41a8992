"""Weights by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from stainbridge.errors import InputError
from stainbridge.learn.named_weights import WEIGHTS_VARIABLE, find_weights, list_shipped_weights
from stainbridge.learn.weights import read_weights

#: The largest file of a shipped network in bytes: every clone carries it.
MAX_FILE_BYTES = 16 * 2**20


def test_a_path_is_itself(tmp_path: Path) -> None:
    assert find_weights(str(tmp_path)) == tmp_path
    assert find_weights("nowhere/run") == Path("nowhere/run")
    assert find_weights("lost.safetensors") == Path("lost.safetensors")


def test_a_folder_of_ones_own_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    (tmp_path / "a-run").mkdir()
    for name in ("mine", *list_shipped_weights()):
        (tmp_path / f"{name}.safetensors").touch()
        assert find_weights(name) == tmp_path / f"{name}.safetensors"
    assert find_weights("a-run") == tmp_path / "a-run"


def test_another_name_is_one_line_that_names_what_there_is() -> None:
    with pytest.raises(InputError, match="nonsense: no weights of that name"):
        find_weights("nonsense")


@pytest.mark.parametrize("name", list_shipped_weights())
def test_shipped_weights_can_be_read_and_are_small(name: str) -> None:
    path = find_weights(name)
    assert path.stat().st_size < MAX_FILE_BYTES
    assert read_weights(path).task in ("affine", "deformable", "translate")

"""Weights whose header claims anything are refused before memory is taken."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stainbridge.errors import InputError
from stainbridge.learn.named_weights import find_weights
from stainbridge.registration.stages.learned_affine import LearnedAffine
from stainbridge.registration.stages.learned_field import LearnedField
from stainbridge.translation.inference.model import read_model

LOADERS = {
    "he-panck": read_model,
    "affine-net": LearnedAffine.load,
    "unet-svf": LearnedField.load,
}
hostile = st.one_of(
    st.sampled_from([None, True, -1, 0, 8192, 100_000, 10**9, 1e300, "x", [], {}, [1] * 9]),
    st.floats(),
    st.integers(),
)


def split(path: Path) -> tuple[dict[str, Any], bytes]:
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def write(path: Path, header: dict[str, Any], numbers: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)
    return path


def list_places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the keys that lead to each value of a header."""
    places = [before] if before else []
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            places += list_places(item, (*before, key))
    return places


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(LOADERS)), st.data())
def test_any_header_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    header, numbers = split(Path(find_weights(name)))
    described = json.loads(header["__metadata__"]["stainbridge"])
    place = data.draw(st.sampled_from(list_places(described)))
    owner = described
    for key in place[:-1]:
        owner = owner[key]
    if data.draw(st.booleans()) or isinstance(owner, list):
        owner[place[-1]] = data.draw(hostile)
    else:
        del owner[place[-1]]
    header["__metadata__"]["stainbridge"] = json.dumps(described)
    path = write(tmp_path_factory.mktemp("w") / "w.safetensors", header, numbers)
    said = ""
    try:
        LOADERS[name](path)
    except InputError as error:
        said = str(error)
    assert said == "" or "w.safetensors" in said


@pytest.mark.parametrize("width", [4096, 8192])
def test_a_claim_of_a_huge_network_takes_no_memory(width: int, tmp_path: Path) -> None:
    header, numbers = split(Path(find_weights("he-panck")))
    described = json.loads(header["__metadata__"]["stainbridge"])
    described["settings"]["generator"]["width"] = width
    header["__metadata__"]["stainbridge"] = json.dumps(described)
    path = write(tmp_path / "w.safetensors", header, numbers)
    with pytest.raises(InputError, match=r"another architecture; expected the [0-9,]+ n"):
        read_model(path)

"""A swapped, edited or damaged result is not believed."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stainbridge
from stainbridge.errors import InputError
from stainbridge.geometry.transform import Affine
from stainbridge.jobs.files.stored_slides import load_result
from stainbridge.registration import digest
from stainbridge.registration.result import Registration

MATRIX = np.array([[1.0, 0, 3], [0, 1, 5], [0, 0, 1]])


def save_result(folder: Path, shift: float = 0.0) -> Path:
    """Save a registration of two pictures of one size, and return its folder."""
    folder.mkdir(parents=True)
    random_ = np.random.default_rng(int(shift))
    for name in ("he.png", "ki67.png"):
        pixels = random_.integers(0, 255, (40, 50, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    with (
        stainbridge.open_slide(folder / "he.png") as fixed,
        stainbridge.open_slide(folder / "ki67.png") as moving,
    ):
        matrix = MATRIX + np.array([[0, 0, shift], [0, 0, 0], [0, 0, 0]])
        Registration(
            fixed=fixed.frame,
            moving=moving.frame,
            status="ok",
            reason="",
            stages=(),
            seconds=0.5,
            predicted_rtre=float("nan"),
            seed=0,
            config={"rate": 1e-4},
            solution=Affine(matrix, fixed.frame.space, moving.frame.space),
        ).save(folder / "result", fixed, moving)
    return folder / "result"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_result(tmp_path_factory.mktemp("good") / "a")


@pytest.fixture
def result(good: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good, tmp_path / "result")


def test_what_was_written_is_believed(result: Path) -> None:
    notes: list[str] = []
    assert stainbridge.load(result).status == "ok"
    assert load_result(result, notes.append).is_sealed
    assert notes == []


def test_the_order_and_layout_of_the_record_do_not_matter(result: Path) -> None:
    path = result / "registration.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(record.items()))))
    stainbridge.load(result)


def edit_one(value: Any, random_: random.Random, top: bool = True) -> Any:
    """Return a record with one of its values changed, exchanged or removed."""
    if isinstance(value, dict | list) and value:
        copy = value.copy()
        keys = list(copy) if isinstance(copy, dict) else list(range(len(copy)))
        keys = [key for key in keys if key != "path"]
        key = random_.choice(keys)
        if random_.random() < 0.2:
            del copy[key]
            if top and key == digest.DIGEST:
                del copy[random_.choice([key for key in keys if key != digest.DIGEST])]
        else:
            copy[key] = edit_one(copy[key], random_, top=False)
        return copy
    return random_.choice([other for other in (1, 2.5, "x", None, True, [3]) if other != value])


@pytest.mark.parametrize("seed", range(150))
def test_every_edit_of_the_record_is_refused(seed: int, result: Path) -> None:
    path = result / "registration.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(edit_one(record, random.Random(seed))))
    with pytest.raises(InputError, match=r"registration\.json: the record was edited"):
        stainbridge.load(result)


@pytest.mark.parametrize("seed", range(100))
def test_every_damage_of_the_transform_is_refused_before_hdf5_opens_it(
    seed: int, result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import SimpleITK

    monkeypatch.setattr(SimpleITK, "ReadTransform", lambda name: pytest.fail(f"opened {name}"))
    random_ = random.Random(seed)
    path = result / "transform.h5"
    data = bytearray(path.read_bytes())
    ways: list[Callable[[], object]] = [
        lambda: data.__delitem__(slice(random_.randrange(len(data)), None)),
        lambda: data.extend(b"\0" * random_.randint(1, 9)),
        lambda: data.__setitem__(at := random_.randrange(len(data)), data[at] ^ 1),
    ]
    random_.choice(ways)()
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"transform\.h5: not the transform that was written"):
        stainbridge.load(result)


def test_another_pairs_transform_is_refused(result: Path, tmp_path: Path) -> None:
    other = save_result(tmp_path / "other", shift=7)
    shutil.copy(other / "transform.h5", result / "transform.h5")
    with pytest.raises(InputError, match="not the transform that was written with this record"):
        stainbridge.load(result)


def test_exchanged_slides_are_refused(result: Path) -> None:
    path = result / "registration.json"
    record = json.loads(path.read_text())
    record["fixed"], record["moving"] = record["moving"], record["fixed"]
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match="the record was edited"):
        stainbridge.load(result)


@pytest.mark.parametrize("keep_time", [False, True])
def test_another_slide_of_the_same_size_in_the_old_place_is_refused(
    keep_time: bool, tmp_path: Path
) -> None:
    result = save_result(tmp_path / "a")
    moving = tmp_path / "a" / "ki67.png"
    before = moving.stat()
    shutil.copy(tmp_path / "a" / "he.png", moving)
    if keep_time:
        os.utime(moving, ns=(before.st_atime_ns, before.st_mtime_ns))
    registration = stainbridge.load(result)
    with pytest.raises(InputError, match=r"ki67\.png: not the moving slide that was registered"):
        registration.warp_slide()
    notes: list[str] = []
    load_result(result, notes.append)
    assert notes == [f"warning: {moving}: no longer the moving slide that was registered"]


def test_a_moved_or_touched_slide_is_still_the_one(tmp_path: Path) -> None:
    result = save_result(tmp_path / "a")
    moving = tmp_path / "a" / "ki67.png"
    os.utime(moving, (1, 1))
    with stainbridge.load(result).warp_slide() as warped:
        assert warped.frame.width == 50
    moved = moving.rename(tmp_path / "moved.png")
    path = result / "registration.json"
    record = json.loads(path.read_text())
    record["moving"]["path"] = str(moved)
    path.write_text(json.dumps(record))
    with stainbridge.load(result).warp_slide() as warped:
        assert warped.frame.width == 50


def test_a_record_without_digests_is_read_with_a_note(result: Path) -> None:
    path = result / "registration.json"
    record = json.loads(path.read_text())
    del record[digest.DIGEST], record[digest.TRANSFORM_DIGEST]
    del record["fixed"]["file"], record["moving"]["file"]
    path.write_text(json.dumps(record))
    notes: list[str] = []
    assert not load_result(result, notes.append).is_sealed
    assert notes == [
        f"note: {result}: written by an earlier version, so its files cannot be checked"
    ]

"""Folders of paired slices: landmarks, labels, and what is wrong with them in one clear line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from stainbridge.datasets.layouts import read_data_set
from stainbridge.datasets.slices import check_slices
from stainbridge.errors import InputError
from stainbridge.jobs.phantom_slices import PhantomSlicesJob
from stainbridge.types import Pixels

MARKS = np.array([[1.0, 2.0], [10.5, 7.25], [30.0, 20.0]])
NAMES = [f"slice_{number}" for number in range(3)]


def write_picture(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)


def write_marks(path: Path, points: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(",X,Y\n" + "".join(f"{n},{x},{y}\n" for n, (x, y) in enumerate(points)))


def write_stack(root: Path, fixed: str = "fixed", moving: str = "moving") -> None:
    labels = np.zeros((24, 32), np.uint8)
    labels[4:20, 6:16] = 1
    labels[4:20, 16:28] = 2
    for side in (fixed, moving):
        for name in NAMES:
            write_picture(root / side / f"{name}.png", 100 * labels)
            write_picture(root / f"{side}_labels/{name}.png", labels)
            write_picture(root / f"{side}_mask/{name}.png", 255 * (labels > 0).astype(np.uint8))
            write_marks(root / f"{side}_landmarks/{name}.csv", MARKS + (side == moving))


@pytest.mark.parametrize(
    ("fixed", "moving"), [("fixed", "moving"), ("mri", "histo_affine"), ("mri", "histo")]
)
def test_slices_come_with_landmarks_masks_and_labels(
    fixed: str, moving: str, tmp_path: Path
) -> None:
    write_stack(tmp_path, fixed, moving)
    data = read_data_set(tmp_path)
    assert (data.layout, [case.id for case in data.cases]) == ("slices", NAMES)
    check_slices(data.cases)
    for case in data.cases:
        assert case.landmarks is not None
        np.testing.assert_array_equal(case.landmarks[1] - case.landmarks[0], 1)
        assert case.open_moving_labels is not None
        with case.open_moving_labels() as labels:
            assert set(np.unique(labels.read(labels.frame).pixels)) == {0, 1, 2}
        assert case.open_fixed_mask is not None
        with case.open_fixed_mask() as mask:
            assert f"{fixed}_mask" in mask.info.path


def test_generated_slices_are_read_and_found_right(tmp_path: Path) -> None:
    PhantomSlicesJob(out=tmp_path / "stack", slices=2, size_px=64, mpp=8.0).run()
    cases = read_data_set(tmp_path / "stack").cases
    assert [case.id for case in cases] == ["slice_000", "slice_001"]
    check_slices(cases)
    assert all(case.landmarks is not None for case in cases)
    assert all(case.open_fixed_labels is not None for case in cases)


def test_numbers_in_names_are_the_order_of_the_stack(tmp_path: Path) -> None:
    write_stack(tmp_path)
    for side in ("fixed", "moving"):
        for kind in ("", "_labels", "_mask"):
            folder = tmp_path / f"{side}{kind}"
            for old, new in ((0, 10), (1, 9)):
                (folder / f"slice_{old}.png").rename(folder / f"slice_{new}.png")
        for path in (tmp_path / f"{side}_landmarks").iterdir():
            path.unlink()
    cases = read_data_set(tmp_path).cases
    assert [case.id for case in cases] == ["slice_2", "slice_9", "slice_10"]


def test_masks_and_labels_belong_to_slices_whatever_their_endings(tmp_path: Path) -> None:
    write_stack(tmp_path)
    for folder in ("fixed_mask", "moving_labels"):
        for path in list((tmp_path / folder).iterdir()):
            with PIL.Image.open(path) as picture:
                picture.save(path.with_suffix(".tif"))
            path.unlink()
    for path in list((tmp_path / "moving").iterdir()):
        with PIL.Image.open(path) as picture:
            tifffile.imwrite(path.with_suffix(".ome.tif"), np.asarray(picture))
        path.unlink()
    cases = read_data_set(tmp_path).cases
    assert [case.id for case in cases] == NAMES
    for case in cases:
        assert case.open_fixed_mask is not None
        assert case.open_moving_labels is not None
        with case.open_fixed_mask() as mask, case.open_moving_labels() as labels:
            assert [Path(slide.info.path).suffix for slide in (mask, labels)] == [".tif", ".tif"]


def add(name: str, pixels: Pixels) -> Callable[[Path], None]:
    return lambda root: write_picture(root / name, pixels)


def remove(*names: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        for name in names:
            (root / name).unlink()

    return change


def rename(folder: str, added: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        for path in list((root / folder).iterdir()):
            path.rename(path.with_stem(path.stem + added))

    return change


def make_labels_float(root: Path) -> None:
    """Write a slice and its labels as TIFFs, the labels as floats."""
    for side in ("fixed", "moving"):
        tifffile.imwrite(root / f"{side}/slice_9.tif", np.zeros((24, 32), np.uint8))
        tifffile.imwrite(root / f"{side}_mask/slice_9.tif", np.ones((24, 32), np.uint8))
    tifffile.imwrite(root / "fixed_labels/slice_9.tif", np.full((24, 32), 1.5, np.float32))


GREY = np.full((24, 32), 9, np.uint8)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            remove("moving/slice_0.png", "fixed/slice_2.png"),
            r"fixed/slice_0.png: a picture without its partner; expected the same names in fixed "
            r"and moving; got 2 without: fixed/slice_0.png, moving/slice_2.png$",
        ),
        (
            remove("moving_landmarks/slice_1.csv"),
            r"moving_landmarks/slice_1.csv: landmarks of one slide only",
        ),
        (
            remove("moving_mask/slice_1.png"),
            r"moving_mask/slice_1.png: a slice without its mask; expected masks of all slices",
        ),
        (
            rename("fixed_labels", "_seg"),
            r"fixed_labels: no picture here belongs to a slice; expected names as in fixed, such "
            r"as slice_0.png; got slice_0_seg.png",
        ),
    ],
)
def test_what_does_not_belong_together_is_one_clear_line(
    spoil: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    write_stack(tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError, match=said) as raised:
        read_data_set(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            add("fixed_mask/slice_1.png", GREY[:20]),
            "slice_1.png: a mask has another size than its slice; expected 32 x 24 pixels; "
            "got 32 x 20",
        ),
        (add("moving_mask/slice_2.png", 0 * GREY), "moving_mask/slice_2.png: an empty mask"),
        (add("moving_labels/slice_0.png", GREY[:, :30]), "a label picture has another size"),
        (
            add("fixed_labels/slice_1.png", np.dstack([GREY, GREY, 2 * GREY])),
            "fixed_labels/slice_1.png: not a label picture.*got 3 x uint8",
        ),
        (make_labels_float, r"slice_9.tif: not a label picture.*got 1 x float32"),
    ],
)
def test_masks_and_labels_that_do_not_fit_are_one_clear_line(
    spoil: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    write_stack(tmp_path)
    spoil(tmp_path)
    cases = read_data_set(tmp_path).cases
    with pytest.raises(InputError, match=said) as raised:
        check_slices(cases)
    assert "\n" not in str(raised.value)


def test_the_published_labels_and_masks_are_read(real_data: Path) -> None:
    cases = read_data_set(real_data / "allen_slices").cases
    check_slices(cases[::12])

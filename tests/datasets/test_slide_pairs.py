"""Manifests of slides to train translations on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.datasets.slide_pairs import read_slide_pairs
from stainbridge.errors import InputError
from stainbridge.geometry.files import write_transform
from stainbridge.geometry.transform import Affine
from stainbridge.slides.open import open_slide


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    for name in ("he", "ki67"):
        picture = PIL.Image.fromarray(np.full((30, 40, 3), 200, np.uint8))
        picture.save(tmp_path / f"{name}.tif", resolution_unit=3, resolution=20000)  # 0.5 µm
    return tmp_path


def manifest(folder: Path, *rows: str, header: str = "fixed,moving,transform,split") -> Path:
    table = folder / "manifest.csv"
    table.write_text("\n".join([header, *rows]) + "\n")
    return table


def test_transforms_are_read_and_splits_kept(slides: Path) -> None:
    with open_slide(slides / "he.tif") as fixed, open_slide(slides / "ki67.tif") as moving:
        matrix = np.array([[1.0, 0, 3], [0, 1, -2], [0, 0, 1]])
        write_transform(slides / "t.h5", Affine(matrix, fixed.frame.space, moving.frame.space))
    slide_set = read_slide_pairs(
        manifest(slides, "he.tif,ki67.tif,t.h5,train", "he.tif,ki67.tif,,test")
    )
    assert (len(slide_set.training), len(slide_set.validation)) == (1, 1)
    transform = slide_set.training[0].moving_from_fixed
    assert transform is not None
    assert slide_set.validation[0].moving_from_fixed is None
    assert transform(np.array([[1.0, 5.0]])) == pytest.approx(np.array([[4.0, 3.0]]))
    assert slide_set.mpp == pytest.approx(0.5, rel=1e-3)


def test_without_a_split_every_fifth_is_held_out_if_there_are_enough(slides: Path) -> None:
    few = read_slide_pairs(manifest(slides, *["he.tif,ki67.tif"] * 2, header="fixed,moving"))
    assert len(few.training) == len(few.validation) == 2
    assert "too few" in few.note
    many = read_slide_pairs(manifest(slides, *["he.tif,ki67.tif"] * 6, header="fixed,moving"))
    assert (len(many.training), len(many.validation), many.note) == (4, 2, "")


def test_pixel_sizes_may_be_given(slides: Path) -> None:
    table = manifest(slides, "he.tif,ki67.tif,0.25,1", header="fixed,moving,fixed_mpp,moving_mpp")
    slide_set = read_slide_pairs(table)
    assert slide_set.mpp == 0.25
    with slide_set.training[0].open_moving() as moving:
        assert moving.frame.mpp == (1.0, 1.0)
    with pytest.raises(InputError, match="not a number; expected fixed_mpp"):
        read_slide_pairs(
            manifest(
                slides, "he.tif,ki67.tif,quarter,1", header="fixed,moving,fixed_mpp,moving_mpp"
            )
        )


def test_what_cannot_be_read_is_refused(slides: Path) -> None:
    with pytest.raises(InputError, match="columns are missing; expected moving"):
        read_slide_pairs(manifest(slides, "he.tif", header="fixed"))
    with pytest.raises(InputError, match=r"no.tif: no such file"):
        read_slide_pairs(manifest(slides, "he.tif,no.tif,,"))
    with pytest.raises(InputError, match="unknown split; expected train or test; got dev"):
        read_slide_pairs(manifest(slides, "he.tif,ki67.tif,,dev"))
    with pytest.raises(InputError, match=r"no.h5: no such transform"):
        read_slide_pairs(manifest(slides, "he.tif,ki67.tif,no.h5,"))

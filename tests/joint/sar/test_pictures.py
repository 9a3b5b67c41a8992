"""Files of pictures and masks: what the canvas holds, and one line for what cannot be used."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.joint.sar.pictures import draw_mask, write_data

from stainbridge.errors import InputError
from stainbridge.joint.sar.config import SarGeneratedConfig
from stainbridge.joint.sar.pictures import GeneratedPictures, PictureFiles

SIZE_PX = 48


def open_files(folder: Path) -> PictureFiles:
    pictures = tuple(sorted((folder / "images").iterdir()))
    masks = tuple(folder / "masks" / path.name for path in pictures)
    return PictureFiles(pictures, masks, SIZE_PX)


def test_a_picture_lies_in_the_middle_of_the_canvas_with_its_mask(tmp_path: Path) -> None:
    files = open_files(write_data(tmp_path))
    files.check()
    assert len(files) == 6
    picture, mask = files[2]
    assert mask is not None
    assert picture.shape == mask.shape == (SIZE_PX, SIZE_PX)
    columns = np.flatnonzero(picture.any(0))
    assert (columns[0], columns[-1]) == (4, 43)  # 40 of 48 px: a twelfth free on each side
    expected = draw_mask(2, 60, 70).mean() * 60 * 70 * (40 / 70) ** 2
    assert mask.sum() == pytest.approx(expected, rel=0.03)
    assert picture[mask > 0.9].mean() > picture[(mask < 0.1) & (picture > 0)].mean() + 0.2


def test_without_masks_and_with_sixteen_bits(tmp_path: Path) -> None:
    folder = write_data(tmp_path)
    path = folder / "images" / "0.png"
    grey = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert grey is not None
    cv2.imwrite(str(path), grey.astype(np.uint16) * 20)
    picture, mask = PictureFiles((path,), None, SIZE_PX)[0]
    assert mask is None
    assert 0.9 < picture.max() <= 1


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("masks", np.zeros((60, 70), np.uint8), "3.png: the mask is empty"),
        ("masks", np.ones((60, 71), np.uint8), r"size of their picture; expected \(60, 70\)"),
        ("masks", np.indices((60, 70, 3))[2].astype(np.uint8), "one channel .*; got 3 x uint8"),
        ("images", np.full((60, 70), 7, np.uint8), "3.png: nothing but one value"),
    ],
)
def test_what_cannot_be_trained_on_is_named(
    tmp_path: Path, name: str, pixels: np.ndarray, message: str
) -> None:
    files = open_files(write_data(tmp_path))
    cv2.imwrite(str(tmp_path / name / "3.png"), pixels)
    with pytest.raises(InputError, match=message):
        files.check()


def test_labels_that_are_no_whole_numbers_are_refused(tmp_path: Path) -> None:
    write_data(tmp_path)
    pictures = (tmp_path / "images" / "0.png",)
    label = tmp_path / "masks" / "0.tif"
    cv2.imwrite(str(label), np.full((60, 70), 0.5, np.float32))
    with pytest.raises(InputError, match=r"one channel of whole numbers.*got 1 x float32"):
        PictureFiles(pictures, (label,), SIZE_PX).check()


def test_a_mask_may_have_three_equal_channels(tmp_path: Path) -> None:
    files = open_files(write_data(tmp_path))
    _, expected = files[3]
    path = tmp_path / "masks" / "3.png"
    cv2.imwrite(str(path), np.dstack([255 * draw_mask(3, 60, 70)] * 3))
    _, mask = files[3]
    assert expected is not None
    np.testing.assert_array_equal(mask, expected)


def test_files_that_are_damaged_or_not_finite_are_named(tmp_path: Path) -> None:
    files = open_files(write_data(tmp_path))
    (tmp_path / "images" / "1.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"1\.png: cannot be read as a picture"):
        files.check()
    grey = np.ones((60, 70), np.float32)
    grey[20:30] = 0.5
    grey[5, 5] = np.nan
    cv2.imwrite(str(tmp_path / "nan.tif"), grey)
    with pytest.raises(InputError, match=r"nan\.tif: values that are no numbers"):
        PictureFiles((tmp_path / "nan.tif",), None, SIZE_PX).check()


def test_generated_pictures_are_the_same_again_and_have_their_tissue_as_mask() -> None:
    config = SarGeneratedConfig(slides=2, slide_px=128, mpp=16.0)
    pictures = GeneratedPictures(config, SIZE_PX, 5)
    picture, mask = pictures[1]
    again = GeneratedPictures(config, SIZE_PX, 5)[1]
    assert len(pictures) == 2
    assert mask is not None
    assert 0.1 < mask.mean() < 0.9
    assert picture[mask > 0].mean() > 0.2
    np.testing.assert_array_equal(picture, again.picture)
    assert not np.array_equal(picture, pictures[0].picture)
    with pytest.raises(InputError, match="slides out of range"):
        SarGeneratedConfig(slides=0)

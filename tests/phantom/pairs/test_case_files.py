"""A generated pair as files says the same as the pair in memory."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.files import read_transform
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.phantom.pairs.case_files import CASE_FOLDERS, describe_pair, write_case
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.slides.open import open_slide


@pytest.fixture(scope="module")
def pair() -> PhantomPair:
    return generate_pair(seed=4, size_px=320, mpp=6.0, moving_stain="CD31", tear=True, damage=True)


@pytest.fixture(scope="module")
def written(
    pair: PhantomPair, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str], list[str]]:
    folder = tmp_path_factory.mktemp("case")
    steps: list[str] = []
    files = write_case(pair, folder, "case_007", lambda what, done: steps.append(what))
    return folder, files, steps


def test_every_file_named_is_there_and_no_other(
    written: tuple[Path, dict[str, str], list[str]],
) -> None:
    folder, files, steps = written
    file_names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert file_names == set(files.values())
    assert {Path(name).parts[0] for name in file_names} == set(CASE_FOLDERS)
    assert steps


def test_slides_hold_the_pixels_and_their_size(
    pair: PhantomPair, written: tuple[Path, dict[str, str], list[str]]
) -> None:
    folder, files, _ = written
    with open_slide(folder / files["moving"]) as slide:
        assert slide.frame.mpp == pytest.approx(pair.moving.frame.mpp)
        written_pixels = slide.read(slide.frame).pixels.astype(float)
    pixels = pair.moving.read(pair.moving.frame).pixels.astype(float)
    assert np.abs(pixels - written_pixels).mean() < 4


def test_classes_are_stored_without_loss(
    pair: PhantomPair, written: tuple[Path, dict[str, str], list[str]]
) -> None:
    folder, files, _ = written
    with open_slide(folder / files["fixed_classes"]) as slide:
        stored = slide.read(slide.frame).pixels
    np.testing.assert_array_equal(stored, pair.fixed.classes.read(pair.fixed.frame).pixels)


def test_truth_landmarks_and_mask_agree(
    pair: PhantomPair, written: tuple[Path, dict[str, str], list[str]]
) -> None:
    folder, files, _ = written
    fixed, moving = pair.fixed.frame, pair.moving.frame
    truth = read_transform(folder / files["truth"], fixed.space, moving.space)
    inverse = read_transform(folder / files["inverse"], moving.space, fixed.space)
    points, labels = read_points_csv(folder / files["fixed_landmarks"])
    corresponding, same = read_points_csv(folder / files["moving_landmarks"])
    assert labels == same
    assert len(labels) == 80
    fixed_um = fixed.to_um(points)
    moving_um = moving.to_um(corresponding)
    assert np.abs(truth(fixed_um) - moving_um).max() < 0.1 * fixed.mpp[0]
    assert np.abs(inverse(moving_um) - fixed_um).max() < 0.1 * fixed.mpp[0]
    valid = cv2.imread(str(folder / files["valid"]), cv2.IMREAD_GRAYSCALE) > 0
    np.testing.assert_array_equal(valid, pair.valid_mask(fixed))
    assert valid[points[:, 1].astype(int), points[:, 0].astype(int)].mean() > 0.95


def test_a_description_is_plain_and_says_how_far_apart_the_slides_lie(pair: PhantomPair) -> None:
    description = describe_pair(pair)
    assert description["fixed_stain"] == "HE"
    assert description["moving_stain"] == "CD31"
    assert description["tears"] == 1
    for side, slide in (("", pair.moving), ("fixed_", pair.fixed)):
        assert description[f"{side}artefacts"] == [
            type(artefact).__name__ for artefact in slide.artefacts
        ]
        assert description[f"{side}jpeg_quality"] == slide.jpeg_quality
        assert description[f"{side}folds"] == len(slide.deformation.folds)
    assert 0 < description["rtre_affine"] < description["rtre_given"]
    assert (
        describe_pair(generate_pair(seed=4, size_px=320, mpp=6.0, landmarks=0))["rtre_given"]
        is None
    )


def test_existing_files_are_not_replaced(
    pair: PhantomPair, written: tuple[Path, dict[str, str], list[str]]
) -> None:
    folder, _, _ = written
    with pytest.raises(InputError, match="exists"):
        write_case(pair, folder, "case_007")


@pytest.mark.parametrize("seed", range(3))
def test_real_pairs_are_as_far_from_affine_as_real_sections(seed: int) -> None:
    descriptions = [
        describe_pair(generate_pair(seed=10 * seed + n, size_px=256, mpp=16.0, organ="any"))
        for n in range(6)
    ]
    assert 0.0035 < np.median([row["rtre_affine"] for row in descriptions]) < 0.012

"""A generated pair: deterministic, readable in parts, with an exact truth that pictures obey."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.config import PairConfig
from stainbridge.phantom.pairs.pair import PhantomPair, generate_pair
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide

SMALL = PairConfig(
    seed=5, size_px=512, mpp=4.0, moving_stain="Ki67", tear=True, damage=False, artefacts=False
)


@pytest.fixture(scope="module")
def pair() -> PhantomPair:
    return generate_pair(SMALL)


def read_pixels(slide: Slide, frame: Frame | None = None) -> npt.NDArray[np.uint8]:
    return np.asarray(slide.read(frame or slide.frame).pixels)


def compute_density(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Optical density, mean over channels, (H, W)."""
    return -np.log((rgb.astype(float) + 1) / 256).mean(axis=0)


def find_tissue(rgb: npt.NDArray[np.uint8], glass: tuple[float, ...]) -> npt.NDArray[np.bool_]:
    """Where stained tissue is, holes and fat's empty cells closed."""
    stained = (compute_density(rgb) > -np.log(glass).mean() + 0.025) & (rgb < 255).any(axis=0)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (31, 31))
    return np.asarray(cv2.morphologyEx(stained.astype(np.uint8), cv2.MORPH_CLOSE, disc)) > 0


def test_slides_and_truth_at_once_are_those_read_one_after_the_other(pair: PhantomPair) -> None:
    fixed, moving, truth = pair.read_with_truth(128)
    fixed_alone, moving_alone = pair.read()
    assert (fixed.pixels == fixed_alone.pixels).all()
    assert (moving.pixels == moving_alone.pixels).all()
    grid = pair.fixed.frame.fit(128)
    moving_grid = pair.moving.frame.fit(128)
    assert (truth.forward.displacement == pair.truth.to_field(grid).displacement).all()
    inverse = pair.truth.inverse().to_field(moving_grid)
    assert (truth.inverse.displacement == inverse.displacement).all()
    assert (truth.valid == pair.valid_mask(grid)).all()
    assert truth.valid.any()


def test_the_same_seed_gives_the_same_pixels_and_landmarks(pair: PhantomPair) -> None:
    again = generate_pair(SMALL)
    np.testing.assert_array_equal(read_pixels(pair.moving), read_pixels(again.moving))
    np.testing.assert_array_equal(pair.moving_landmarks.points_px, again.moving_landmarks.points_px)


def test_another_seed_gives_other_tissue(pair: PhantomPair) -> None:
    other = generate_pair(replace(SMALL, seed=6))
    assert np.abs(read_pixels(pair.fixed).astype(float) - read_pixels(other.fixed)).mean() > 5


@pytest.mark.parametrize("side", ["fixed", "moving"])
@pytest.mark.parametrize("mpp", [4.0, 1.0])
def test_a_tile_is_the_crop_of_the_whole(pair: PhantomPair, side: str, mpp: float) -> None:
    slide: PhantomSlide = getattr(pair, side)
    whole = slide.frame.at_mpp(mpp).crop(int(700 / mpp), int(800 / mpp), 500, 430)
    tile = whole.crop(133, 71, 190, 140)
    np.testing.assert_array_equal(
        read_pixels(slide, whole)[:, 71:211, 133:323], read_pixels(slide, tile)
    )


def test_sections_are_slides(pair: PhantomPair) -> None:
    assert isinstance(pair.fixed, Slide)
    assert pair.fixed.levels[0] == pair.fixed.frame
    assert pair.fixed.info.is_rgb
    assert (pair.fixed.stain, pair.moving.stain) == ("HE", "Ki67")


def test_outside_the_slide_is_white_and_not_valid(pair: PhantomPair) -> None:
    image = pair.moving.read(pair.moving.frame.crop(-10, -6, 30, 20))
    assert not image.valid[:6].any()
    assert not image.valid[:, :10].any()
    assert image.valid[6:, 10:].all()
    assert (image.pixels[:, ~image.valid] == 255).all()


def test_the_truth_and_its_inverse_cancel(pair: PhantomPair) -> None:
    points = pair.fixed.frame.fit(40).centres_um()
    points = points[pair.find_valid(points)]
    assert len(points) > 200
    returned = pair.truth.inverse()(pair.truth(points))
    assert np.abs(returned - points).max() < 0.05 * pair.fixed.frame.mpp[0]
    moving_returned = pair.truth(pair.truth.inverse()(pair.moving_landmarks.points_um))
    error_um = np.abs(moving_returned - pair.moving_landmarks.points_um).max()
    assert error_um < 0.05 * pair.fixed.frame.mpp[0]


def test_the_truth_has_no_folds_where_it_is_valid(pair: PhantomPair) -> None:
    grid = pair.fixed.frame.fit(128)
    determinant = jacobian_determinant(pair.truth.to_field(grid).displacement, grid.mpp)
    # Differences reach a pixel of the grid to either side.
    apart = cv2.erode(pair.valid_mask(grid).astype(np.uint8), np.ones((3, 3))) > 0
    sign = -1 if pair.moving.deformation.flip else 1
    assert apart.sum() > 2000
    assert (sign * determinant[apart]).min() > 0.2


def test_landmarks_correspond_by_the_truth_and_lie_in_the_tissue(pair: PhantomPair) -> None:
    assert len(pair.fixed_landmarks.points_px) == SMALL.landmarks
    assert pair.fixed_landmarks.labels == pair.moving_landmarks.labels
    np.testing.assert_allclose(
        pair.moving_landmarks.points_um, pair.truth(pair.fixed_landmarks.points_um), atol=0.01
    )
    assert pair.find_valid(pair.fixed_landmarks.points_um).all()


def test_the_pictures_obey_the_truth_but_show_other_nuclei(pair: PhantomPair) -> None:
    frame = pair.fixed.frame
    moved = read_pixels(WarpedSlide(pair.moving, pair.truth), frame)
    fixed_tissue = find_tissue(read_pixels(pair.fixed), pair.fixed.laboratory.glass)
    moving_tissue = find_tissue(moved, pair.moving.laboratory.glass)
    dice = 2 * (fixed_tissue & moving_tissue).sum() / (fixed_tissue.sum() + moving_tissue.sum())
    assert dice > 0.9
    zoomed = generate_pair(
        replace(SMALL, moving_stain="HE", rotation_deg=0, flip=False, elastic_um=0, tear=False)
    )
    part = zoomed.fixed.frame.at_mpp(1.0).crop(800, 800, 400, 400)
    first, second = (
        compute_density(read_pixels(slide, part))
        for slide in (zoomed.fixed, WarpedSlide(zoomed.moving, zoomed.truth))
    )
    assert _correlate(*(cv2.GaussianBlur(d, (0, 0), 12) for d in (first, second))) > 0.6
    assert _correlate(*(d - cv2.GaussianBlur(d, (0, 0), 4) for d in (first, second))) < 0.5


def _correlate(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_the_tear_is_bare_glass_and_not_valid(pair: PhantomPair) -> None:
    frame = pair.moving.frame
    gap = (pair.moving.gap_distance_um(frame.centres_um()) < -2 * frame.mpp[0]).reshape(
        frame.height, frame.width
    )
    assert gap.sum() > 100
    glass = compute_density(read_pixels(pair.moving))[:8, :8].mean()
    assert np.abs(compute_density(read_pixels(pair.moving))[gap] - glass).max() < 0.05
    whole = generate_pair(replace(SMALL, tear=False))
    assert np.isinf(whole.moving.gap_distance_um(frame.centres_um())).all()
    at_gap = pair.truth.inverse()(frame.centres_um()[gap.ravel()])
    assert not pair.find_valid(at_gap).any()


def test_settings_are_obeyed() -> None:
    pair = generate_pair(
        SMALL,
        rotation_deg=30.0,
        flip=True,
        scale=1.1,
        elastic_um=0.0,
        tear=False,
        difficulty="easy",
    )
    affine = [
        member
        for member in pair.moving.tissue_from_slide.inverse().members
        if isinstance(member, Affine)
    ]
    assert len(affine) == 1
    assert affine[0].flip
    assert affine[0].scale == pytest.approx(1.1)
    assert affine[0].rotation_deg == pytest.approx(30.0)


def test_an_easy_pair_is_whole_and_a_hard_one_has_everything() -> None:
    easy, hard = (
        generate_pair(seed=8, size_px=256, mpp=8.0, difficulty=name) for name in ("easy", "hard")
    )  # type: ignore[arg-type]
    assert not (easy.moving.deformation.tears)
    assert not (easy.moving.deformation.folds)
    assert not (easy.moving.holes)
    assert not (easy.moving.pieces)
    assert not (easy.moving.artefacts)
    kinds = {type(artefact).__name__ for artefact in hard.moving.artefacts}
    assert kinds == {
        "UnevenLight",
        "OutOfFocus",
        "Bubble",
        "PenMark",
        "Dust",
        "ScaleBar",
        "BlackBorder",
    }
    assert hard.moving.deformation.tears
    assert (hard.moving.jpeg_quality or 100) < (easy.moving.jpeg_quality or 0)


@pytest.mark.parametrize("wanted", [True, False])
def test_damage_and_artefacts_come_when_they_are_wanted(wanted: bool) -> None:
    pair = generate_pair(seed=8, size_px=256, mpp=8.0, tear=wanted, damage=wanted, artefacts=wanted)
    deformation = pair.moving.deformation
    assert bool(deformation.tears) is wanted
    assert bool(deformation.folds) is wanted
    assert bool(pair.moving.holes) is wanted
    assert bool(pair.moving.artefacts) is wanted


def test_scraps_and_control_tissue_lie_beside_most_damaged_sections() -> None:
    """Not beside all: some find no bare glass."""
    pairs = [
        generate_pair(seed=seed, size_px=512, mpp=4.0, damage=True, landmarks=0)
        for seed in range(8)
    ]
    assert sum(bool(pair.moving.pieces) for pair in pairs) >= 6


def test_a_seed_is_a_number_of_any_kind() -> None:
    plain, other = (generate_pair(seed=seed, size_px=128, mpp=8.0) for seed in (3, np.int64(3)))
    assert plain.moving.deformation == other.moving.deformation


def test_a_faint_immunostain_has_less_dye_and_a_routine_stain_is_never_faint() -> None:
    def read_strengths(stain: str, faint: bool) -> tuple[float, float, float]:
        return generate_pair(SMALL, moving_stain=stain, faint=faint).moving.laboratory.strength

    assert max(np.divide(read_strengths("HER2", True), read_strengths("HER2", False))) < 0.6
    assert read_strengths("HE", True) == read_strengths("HE", False)


def test_any_organ_is_one_by_the_seed() -> None:
    organs = {
        generate_pair(seed=n, size_px=64, mpp=16.0, organ="any").fixed.section.tissue.organ
        for n in range(20)
    }
    assert len(organs) > 3


def test_reading_a_pair_reads_both_slides_whole(pair: PhantomPair) -> None:
    fixed, moving = pair.read()
    np.testing.assert_array_equal(fixed.pixels, read_pixels(pair.fixed))
    np.testing.assert_array_equal(moving.pixels, read_pixels(pair.moving))


def generate_plain(difficulty: str, seed: int = 5, **changes: object) -> PhantomPair:
    return generate_pair(
        seed=seed,
        size_px=256,
        mpp=8.0,
        difficulty=difficulty,
        damage=False,
        artefacts=False,
        tear=False,
        **changes,
    )


@pytest.mark.parametrize(
    ("stains", "side"), [(("HE", "PanCK"), "moving"), (("Ki67", "PAS"), "fixed")]
)
def test_of_a_faint_slide_the_marker_is_seen_alone(stains: tuple[str, str], side: str) -> None:
    names = {"fixed_stain": stains[0], "moving_stain": stains[1]}
    real, faint = (generate_plain(name, **names) for name in ("real", "faint"))
    other = "fixed" if side == "moving" else "moving"
    first, marker = (
        getattr(faint, side).laboratory.strength[dye] / getattr(real, side).laboratory.strength[dye]
        for dye in (0, 2)
    )
    assert 0.02 <= first <= 0.10
    assert marker == pytest.approx(1)
    assert getattr(faint, other).laboratory == getattr(real, other).laboratory
    assert np.median(compute_density(read_pixels(getattr(faint, side)))) < 0.1


def test_a_dense_slide_is_nearly_black() -> None:
    usual, dense = (
        compute_density(read_pixels(generate_plain(name, organ="kidney").moving))
        for name in ("real", "dense")
    )
    assert np.quantile(usual, 0.9) < 2
    assert np.mean(dense > 3) > 0.6 * np.mean(usual > 0.3)


@pytest.mark.parametrize("difficulty", ["faint", "dense"])
def test_tissue_runs_over_the_edges_of_half_of_the_slides(difficulty: str) -> None:
    sides = [generate_plain(difficulty, seed).fixed.section.tissue.width_um for seed in range(12)]
    assert set(sides) == {256 * 8.0, 1.5 * 256 * 8.0}


@pytest.mark.parametrize("difficulty", ["easy", "real", "hard"])
def test_every_difficulty_makes_a_pair_whose_tissue_stays_on_the_slide(difficulty: str) -> None:
    pair = generate_pair(PairConfig(seed=11, size_px=256, mpp=8.0, difficulty=difficulty))  # type: ignore[arg-type]
    inside = pair.fixed.tissue_depth_um(pair.fixed.frame.fit(64).centres_um()) > 0
    valid = pair.valid_mask(pair.fixed.frame.fit(64)).ravel()
    assert valid.sum() > 0.8 * inside.sum()


def test_any_size_is_read_in_parts() -> None:
    huge = generate_pair(size_px=40_000, mpp=0.25, seed=2)
    middle = huge.moving.frame.crop(20_000, 20_000, 200, 200)
    assert read_pixels(huge.moving, middle).std() > 5
    assert read_pixels(huge.moving, huge.moving.frame.fit(100)).shape == (3, 100, 100)


@pytest.mark.parametrize("stain", ["HE", "Ki67", "PanCK", "CD31"])
def test_a_coarse_read_is_the_average_of_a_fine_one(stain: str) -> None:
    slide = generate_pair(replace(SMALL, fixed_stain=stain)).fixed
    part = slide.frame.crop(180, 160, 128, 128)
    coarse = cv2.blur(np.moveaxis(read_pixels(slide, part), 0, -1).astype(np.float32), (9, 9))
    fine = np.moveaxis(read_pixels(slide, part.at_mpp(1.0)), 0, -1).astype(np.float32)
    fine = cv2.blur(cv2.resize(fine, (128, 128), interpolation=cv2.INTER_AREA), (9, 9))
    assert np.abs(coarse - fine).mean() < 8
    assert np.abs(coarse.mean(axis=(0, 1)) - fine.mean(axis=(0, 1))).max() < 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"size_px": 10},
        {"mpp": 0.0},
        {"fixed_stain": "Giemsa"},
        {"scale": 9.0},
        {"elastic_um": -1.0},
        {"landmarks": -1},
        {"difficulty": "absurd"},
        {"colour": "red"},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        generate_pair(**wrong)

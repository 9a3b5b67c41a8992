"""Which claims of a pixel size are believed."""

from __future__ import annotations

import pytest

from stainbridge.slides.readers.pixel_size import (
    Claim,
    choose_pixel_size,
    claim_from_objective,
    claim_from_resolution,
    to_um,
)

SLIDE = (40_000, 30_000)


@pytest.mark.parametrize("mpp", [0.02, 0.1, 0.2521, 0.499, 1.0, 4.0])
def test_scanners_pixel_sizes_are_believed(mpp: float) -> None:
    pixel = choose_pixel_size(Claim((mpp, mpp), "a tag"), SLIDE)
    assert pixel.calibrated
    assert pixel.mpp == (mpp, mpp)
    assert pixel.warnings == ()


@pytest.mark.parametrize(
    ("mpp", "size", "why"),
    [
        ((1000.0, 1000.0), (5000, 5000), "long"),
        ((60.0, 60.0), (500, 500), "slides have"),
        ((0.001, 0.001), SLIDE, "slides have"),
        ((0.25, 0.75), SLIDE, "elongated"),
        ((0.0, 0.0), SLIDE, "positive"),
        ((float("nan"), 0.25), SLIDE, "positive"),
        ((-0.25, -0.25), SLIDE, "positive"),
        ((20.0, 20.0), SLIDE, "long"),
    ],
)
def test_implausible_claims_are_doubted_aloud(
    mpp: tuple[float, float], size: tuple[int, int], why: str
) -> None:
    pixel = choose_pixel_size(Claim(mpp, "a tag"), size)
    assert not pixel.calibrated
    assert pixel.mpp == (1.0, 1.0)
    assert len(pixel.warnings) == 1
    assert why in pixel.warnings[0]
    assert "a tag" in pixel.warnings[0]


@pytest.mark.parametrize("dpi", [72, 96, 150, 300, 600, 1200])
@pytest.mark.parametrize("unit_um", [25400.0, 10000.0])
def test_resolutions_of_screens_and_printers_are_no_pixel_sizes(dpi: float, unit_um: float) -> None:
    per_unit = round(dpi * unit_um / 25400, 2)
    pixel = choose_pixel_size(
        claim_from_resolution(per_unit, per_unit, unit_um, "TIFF resolution"), (800, 600)
    )
    assert not pixel.calibrated
    assert f"{dpi} dpi" in pixel.warnings[0]


def test_a_resolution_of_a_scanner_is_a_pixel_size() -> None:
    pixel = choose_pixel_size(
        claim_from_resolution(40_000.0, 40_000.0, 1e4, "TIFF resolution"), SLIDE
    )
    assert pixel.mpp == (0.25, 0.25)
    assert pixel.calibrated


def test_nothing_claimed_is_nothing_doubted() -> None:
    assert choose_pixel_size(None, SLIDE).warnings == ()
    assert not choose_pixel_size(None, SLIDE).calibrated
    assert claim_from_resolution(0.0, 0.0, 1e4, "TIFF resolution") is None


def test_an_objective_gives_a_pixel_size_with_a_warning() -> None:
    pixel = choose_pixel_size(claim_from_objective(20.0), SLIDE)
    assert pixel.mpp == (0.5, 0.5)
    assert pixel.calibrated
    assert "20x objective" in pixel.warnings[0]
    assert claim_from_objective(0.0) is None


def test_a_given_pixel_size_silences_doubt() -> None:
    pixel = choose_pixel_size(Claim((1000.0, 1000.0), "a tag"), (5000, 5000), mpp=0.5)
    assert pixel.mpp == (0.5, 0.5)
    assert pixel.warnings == ()


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("µm", 1.0),
        ("μm", 1.0),
        ("um", 1.0),
        ("nm", 1e-3),
        ("mm", 1e3),
        ("Micrometer", 1.0),
        ("cm", 1e4),
    ],
)
def test_units_of_length(unit: str, factor: float) -> None:
    assert to_um(2.0, unit) == pytest.approx(2.0 * factor)


@pytest.mark.parametrize("unit", ["pixel", "", "reference frame"])
def test_other_units_are_no_length(unit: str) -> None:
    assert to_um(2.0, unit) is None

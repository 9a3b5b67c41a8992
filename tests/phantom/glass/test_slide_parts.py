"""Stains, artefacts and deformation on their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.field import jacobian_determinant
from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.glass.artefacts import (
    Artefact,
    BlackBorder,
    Dust,
    PenMark,
    ScaleBar,
    UnevenLight,
)
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.space.deformation import (
    MAX_ELASTIC_GRADIENT,
    DeformationConfig,
    build_tissue_from_slide,
    compute_gradient_bound,
    sample_elastic_field,
)
from stainbridge.phantom.staining.laboratory import (
    REFERENCE,
    Laboratory,
    compute_densities,
    transmit_light,
)
from stainbridge.phantom.staining.library import DYES, STAINS, find_stain
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.config import TissueConfig

SLIDE = Space("slide", 400, 500, (4.0, 4.0)).frame
TISSUE = Space("tissue", 400, 400, (4.0, 4.0)).frame
PEN = PenMark(((0.1, 0.2), (0.3, 0.5), (0.6, 0.4)))
ARTEFACTS = [PEN, Dust(), ScaleBar(), BlackBorder(), UnevenLight()]


@pytest.mark.parametrize("artefact", ARTEFACTS, ids=lambda a: type(a).__name__)
def test_an_artefact_is_where_it_is_however_it_is_read(artefact: Artefact) -> None:
    whole = np.ones((400, 500, 3), np.float32)
    artefact.apply(whole, SLIDE, SLIDE)
    tile = np.ones((150, 210, 3), np.float32)
    artefact.apply(tile, SLIDE.crop(20, 230, 210, 150), SLIDE)
    assert whole.min() < 0.97
    np.testing.assert_allclose(tile, whole[230:380, 20:230], atol=2e-3)


def test_a_slide_shows_its_artefacts_and_what_jpeg_leaves() -> None:
    frame = Space("slide", 300, 300, (4.0, 4.0)).frame
    plain = PhantomSlide(StainedSection(TissueConfig(3, 1200, 1200), STAINS["HE"]), frame)
    before = plain.read(frame).pixels.astype(int)

    def change(**spoilt: object) -> npt.NDArray[np.int_]:
        spoilt_slide = replace(plain, **spoilt)  # type: ignore[arg-type]
        return np.asarray(np.abs(spoilt_slide.read(frame).pixels - before).max(axis=0))

    marked = change(artefacts=(PenMark(((0.1, 0.5), (0.9, 0.5)), 0.05),)) > 8
    assert marked[145:156, 40:260].mean() > 0.9
    assert not marked[:135].any()
    assert not marked[165:].any()
    assert 0 < change(jpeg_quality=95).mean() < change(jpeg_quality=40).mean() < 40


def test_beer_lambert_multiplies_light() -> None:
    density = compute_densities(STAINS["HE"], REFERENCE)
    one, two = (np.full((1, 1, 3), amount, np.float32) for amount in (0.3, 0.6))
    np.testing.assert_allclose(
        transmit_light(one, density) ** 2, transmit_light(two, density), rtol=1e-5
    )
    np.testing.assert_allclose(transmit_light(0 * one, density), 1)


def test_every_stain_uses_known_dyes_and_is_found_in_any_case() -> None:
    assert all(DYES[dye.name] is dye for stain in STAINS.values() for dye in stain.dyes)
    assert find_stain("panck") is STAINS["PanCK"]
    with pytest.raises(InputError, match="HE"):
        find_stain("unheard of")


def test_laboratories_differ() -> None:
    first, second = (Laboratory.sample(np.random.default_rng(n), 1.0) for n in (1, 2))
    assert first != second
    assert Laboratory.sample(np.random.default_rng(1), 0.0).strength == (1, 1, 1)
    with pytest.raises(InputError):
        Laboratory(strength=(1.0, 0.0, 1.0))


@pytest.mark.parametrize("elastic_um", [5.0, 60.0, 5000.0])
def test_elastic_deformation_is_one_to_one_however_strong(elastic_um: float) -> None:
    field = sample_elastic_field(DeformationConfig(elastic_um=elastic_um), TISSUE, seed=4)
    assert (
        compute_gradient_bound(field.displacement, field.grid.mpp[0]) < MAX_ELASTIC_GRADIENT + 1e-3
    )
    assert jacobian_determinant(field.displacement, field.grid.mpp).min() > 0.2


def test_placement_undone_is_the_identity() -> None:
    config = DeformationConfig(
        rotation_deg=70, flip=True, scale=1.2, shear=0.1, shift=(0.1, 0.0), elastic_um=20
    )
    pull = build_tissue_from_slide(config, TISSUE, SLIDE, seed=1)
    points = SLIDE.fit(20).centres_um()
    np.testing.assert_allclose(pull.inverse()(pull(points)), points, atol=0.05)


def test_sections_share_structure_but_not_nuclei() -> None:
    tissue = TissueConfig(3, 1600, 1600)
    frame = Frame(Space("tissue 3", 300, 300, (0.5, 0.5)), 300, 300, (0.5, 0.5), (700, 700))
    chromatin = [StainedSection(tissue, distance_um=z).draw_dyes(frame)[..., 0] for z in (0.0, 4.0)]
    assert chromatin[0].max() > 0.8
    both = (chromatin[0] > 0.8) & (chromatin[1] > 0.8)
    assert both.sum() < 0.7 * (chromatin[0] > 0.8).sum()


@pytest.mark.parametrize(
    "make",
    [
        lambda: TissueConfig(width_um=10),
        lambda: TissueConfig(fill=2),
        lambda: StainedSection(TissueConfig(), distance_um=float("nan")),
        lambda: DeformationConfig(scale=0),
        lambda: DeformationConfig(elastic_um=-1),
        lambda: PenMark(((0.1, 0.1),)),
        lambda: ScaleBar(0),
        lambda: BlackBorder((0.6, 0, 0, 0)),
    ],
)
def test_impossible_parts_are_refused(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]

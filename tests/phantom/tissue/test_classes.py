"""Masks per tissue class, organs and stains: what is where, and what takes the marker."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.phantom.glass.scanned_slide import MAX_FLUORESCENCE
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.staining.library import STAINS
from stainbridge.phantom.staining.stained_section import StainedSection
from stainbridge.phantom.tissue.classes import CLASS_NAMES
from stainbridge.phantom.tissue.config import TissueConfig
from stainbridge.phantom.tissue.organs import ORGANS

FRAME = Space("tissue 3", 500, 500, (4.0, 4.0)).frame
CLOSE = Frame(Space("tissue 3", 420, 420, (1.0, 1.0)), 420, 420, (1.0, 1.0), (1150.0, 780.0))


def make_section(stain: str = "HE", organ: str = "gland") -> StainedSection:
    return StainedSection(TissueConfig(3, 2000, 2000, organ=organ), STAINS[stain])


def measure_shares(organ: str) -> dict[str, float]:
    labels = make_section(organ=organ).draw_classes(FRAME)
    assert labels.dtype == np.uint8
    assert labels.max() < len(CLASS_NAMES)
    counts = np.bincount(labels.ravel(), minlength=len(CLASS_NAMES)) / (labels > 0).sum()
    return dict(zip(CLASS_NAMES, counts, strict=True))


@pytest.mark.parametrize(
    ("organ", "least"),
    [
        ("gland", {"gland": 0.05, "lesion": 0.02, "muscle": 0.05, "fat": 0.05, "stroma": 0.2}),
        ("kidney", {"gland": 0.25, "follicle": 0.02}),
        ("lung", {"fat": 0.4, "lesion": 0.02, "necrosis": 0.02, "vessel": 0.005}),
        ("breast", {"fat": 0.2, "stroma": 0.2}),
        ("lymph node", {"follicle": 0.1}),
        ("carcinoma", {"lesion": 0.05, "necrosis": 0.05}),
    ],
)
def test_an_organ_has_what_makes_it_up(organ: str, least: dict[str, float]) -> None:
    measured = measure_shares(organ)
    assert {name: measured[name] for name in least if measured[name] < least[name]} == {}


def test_every_organ_is_tested() -> None:
    assert set(ORGANS) == {"gland", "kidney", "lung", "breast", "lymph node", "carcinoma"}


def test_an_unknown_organ_is_refused() -> None:
    with pytest.raises(InputError, match="kidney"):
        TissueConfig(organ="spleen")


def test_classes_of_a_part_are_those_of_the_whole() -> None:
    whole = make_section().draw_classes(FRAME)
    part = make_section().draw_classes(FRAME.crop(200, 120, 150, 130))
    assert (part != whole[120:250, 200:350]).mean() < 0.005


def test_glass_has_no_dye_and_tissue_has() -> None:
    amounts = make_section().draw_dyes(FRAME).sum(axis=2)
    labels = make_section().draw_classes(FRAME)
    assert amounts[labels == CLASS_NAMES.index("stroma")].mean() > 10 * amounts[labels == 0].mean()


def measure_marker(stain: str, *names: str) -> tuple[float, float]:
    """Mean third dye in the classes named, and in all other tissue."""
    third: npt.NDArray[np.float32] = make_section(stain).draw_dyes(FRAME.at_mpp(2.0))[..., 2]
    labels = make_section(stain).draw_classes(FRAME.at_mpp(2.0))
    inside = np.isin(labels, [CLASS_NAMES.index(name) for name in names])
    return float(third[inside].mean()), float(third[~inside & (labels > 0)].mean())


@pytest.mark.parametrize(
    ("stain", "classes"),
    [
        ("Ki67", ("lesion", "follicle")),
        ("PHH3", ("lesion", "follicle")),
        ("ER", ("lesion", "gland", "duct")),
        ("HER2", ("lesion",)),
        ("PanCK", ("lesion", "gland", "duct")),
        ("CD31", ("vessel",)),
        ("Masson", ("stroma",)),
    ],
)
def test_the_marker_is_where_it_belongs(stain: str, classes: tuple[str, ...]) -> None:
    inside, outside = measure_marker(stain, *classes)
    assert inside > 3 * outside


@pytest.mark.parametrize(
    ("stain", "dye", "least", "in_nuclei"),
    [
        ("Ki67", 2, 0.8, (0.9, 1.0)),
        ("ER", 2, 0.6, (0.9, 1.0)),
        ("IF", 2, 0.6, (0.9, 1.0)),  # Ki67
        ("IF", 1, 0.6, (0.0, 0.05)),  # PanCK
        ("PanCK", 2, 0.8, (0.0, 0.05)),
        ("HER2", 2, 0.4, (0.0, 0.35)),  # membranes, that touch nuclei where cells are crowded
    ],
)
def test_the_marker_is_in_the_part_of_the_cell_it_belongs_to(
    stain: str, dye: int, least: float, in_nuclei: tuple[float, float]
) -> None:
    """Nuclei lie where haematoxylin shows them in the same section."""
    nuclei = make_section("HE").draw_dyes(CLOSE)[..., 0] > 0.9
    marked = make_section(stain).draw_dyes(CLOSE)[..., dye]
    strong = float(np.percentile(marked, 99.5))
    assert strong > least
    assert in_nuclei[0] <= nuclei[marked > 0.5 * strong].mean() <= in_nuclei[1]


def test_pas_shows_basement_membranes_and_mucus() -> None:
    schiff = make_section("PAS").draw_dyes(CLOSE)[..., 1]
    labels = make_section().draw_classes(CLOSE)
    bodies = np.isin(labels, [CLASS_NAMES.index(name) for name in ("gland", "duct", "lesion")])
    strong = schiff > 0.6
    assert 0.01 < strong.mean() < 0.2
    assert bodies[strong].mean() > 0.9
    assert np.median(schiff[labels == CLASS_NAMES.index("stroma")]) < 0.3


def test_fluorescence_is_dark_where_glass_is_and_has_a_channel_a_dye() -> None:
    slide = PhantomSlide(make_section("IF"), FRAME)
    image = slide.read(FRAME)
    assert image.pixels.dtype == np.uint16
    assert image.pixels.max() <= MAX_FLUORESCENCE
    assert [channel.name for channel in slide.info.channels] == ["DAPI", "PanCK", "Ki67"]
    labels = slide.classes.read(FRAME).pixels[0]
    assert (
        image.pixels[:, labels == 0].mean()
        < 0.2 * image.pixels[0, labels == CLASS_NAMES.index("lesion")].mean()
    )
    outside = slide.read(FRAME.crop(-5, 0, 10, 5))
    assert (outside.pixels[:, :, :5] == 0).all()


def test_depths_are_asked_for_at_any_number_of_points() -> None:
    slide = PhantomSlide(make_section(), FRAME)
    points = np.random.default_rng(1).uniform(0, 2000, (40_000, 2))
    depth = slide.tissue_depth_um(points)
    assert depth.shape == (40_000,)
    np.testing.assert_allclose(slide.tissue_depth_um(points[-7:]), depth[-7:], atol=1e-3)
    assert slide.tissue_depth_um(points[:0]).shape == (0,)

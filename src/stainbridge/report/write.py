"""The quality report of one registration: a single HTML file that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from stainbridge.geometry.frame import Frame
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.imaging.image import Image
from stainbridge.registration.result import Registration
from stainbridge.report import words
from stainbridge.report.maps import (
    DIVERGING,
    AreaMap,
    area_map,
    area_picture,
    moving_grid,
    svg_path,
)
from stainbridge.report.pictures import checkerboard, data_uri, density, overlay, viewable
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.whole import whole_file

LONGEST_PX = 1200


@dataclass(frozen=True)
class Figure:
    """A picture of the page: its data address and size."""

    uri: str
    width: int
    height: int


def write_report(path: Path, registration: Registration, fixed: Slide, moving: Slide) -> None:
    """Write the report to `path`, whole or not at all.

    Reads both slides at 1200 pixels at most; neither is closed. A failed registration gets a page
    with both slides, the reason and what to try. Raises `InputError` when the file cannot be
    written.
    """
    page = report_html(registration, fixed, moving)
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def report_html(registration: Registration, fixed: Slide, moving: Slide) -> str:
    """The page itself; see `write_report`."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("stainbridge.report").joinpath("template.html").read_text(encoding="utf-8")
    content = _content(registration, fixed, moving)
    if registration.status == "failed":
        content |= {
            "fixed_picture": _figure(_overview(fixed)),
            "moving_picture": _figure(_overview(moving)),
        }
    else:
        content |= _aligned(registration, registration.transform, fixed, moving)
    return environment.from_string(source).render(content)


def _content(registration: Registration, fixed: Slide, moving: Slide) -> dict[str, Any]:
    """What every report shows."""
    sides = (("Fixed slide", fixed), ("Moving slide", moving))
    return {
        "verdict": words.verdict(registration),
        "fixed_name": _name(fixed),
        "moving_name": _name(moving),
        "stages": [words.stage_row(stage) for stage in registration.stages],
        "slides": [
            (title, words.slide_facts(slide), slide.info.warnings) for title, slide in sides
        ],
        "remedies": words.REMEDIES,
        "seconds": f"{registration.seconds:.1f}",
        "seed": registration.seed,
        "version": version("stainbridge"),
    }


def _aligned(
    registration: Registration, transform: Transform, fixed: Slide, moving: Slide
) -> dict[str, Any]:
    """The pictures and numbers of a registration that has a transform."""
    view = fixed.frame.fit(LONGEST_PX)
    still = fixed.read(view)
    warped = WarpedSlide(moving, transform).read(view)
    unaligned = WarpedSlide(moving, as_they_are(fixed.frame, moving.frame)).read(view)
    tissue, areas = density(still), area_map(transform)
    return {
        "headline": words.headline(registration, transform, areas.folded_share),
        "fixed_picture": _figure(still),
        "warped_picture": _figure(warped),
        "before": Figure(data_uri(overlay(tissue, density(unaligned))), view.width, view.height),
        "after": Figure(data_uri(overlay(tissue, density(warped))), view.width, view.height),
        "checkerboard": Figure(
            data_uri(checkerboard(viewable(still), viewable(warped))), view.width, view.height
        ),
        "grid": [svg_path(line) for line in moving_grid(transform, view)],
        "areas": Figure(data_uri(area_picture(areas, tissue)), view.width, view.height),
        "scale_colours": [f"rgb{colour}" for colour in DIVERGING],
        "scale_ticks": _ticks(areas),
        "folds": _fold_sentence(areas),
    }


def as_they_are(fixed: Frame, moving: Frame) -> Affine:
    """The slides laid on one another as their files are: corner on corner, same µm where both have
    them.

    Where only one is calibrated, the diagonals are made to match.
    """
    factor = (
        1.0 if fixed.calibrated == moving.calibrated else moving.diagonal_um / fixed.diagonal_um
    )
    return Affine(np.diag([factor, factor, 1.0]), fixed.space, moving.space)


def _overview(slide: Slide) -> Image:
    return slide.read(slide.frame.fit(LONGEST_PX))


def _figure(image: Image) -> Figure:
    return Figure(data_uri(viewable(image)), image.frame.width, image.frame.height)


def _name(slide: Slide) -> str:
    return Path(slide.info.path).name


def _ticks(areas: AreaMap) -> list[tuple[float, str]]:
    """Places along the colour bar, in percent, and the area factor there."""
    limit = areas.limit
    return [(n * 25.0, f"× {limit ** (n / 2 - 1):.2f}") for n in range(5)]


def _fold_sentence(areas: AreaMap) -> str:
    low, high = float(areas.factor.min()), float(areas.factor.max())
    share = (
        "No fold"
        if areas.folded_share == 0
        else f"{words.percent(areas.folded_share)} of the area folds"
    )
    return f"{share}; factors from {low:.2f} to {high:.2f}, at {areas.grid.width} × {areas.grid.height} samples."

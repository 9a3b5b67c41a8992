"""Write the quality report of one registration: a single HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from stainbridge.compute import available_cores, parallel_map
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.placement import place_unregistered
from stainbridge.geometry.transform import Transform
from stainbridge.imaging.image import Image
from stainbridge.imaging.pictures import (
    Picture,
    checkerboard,
    display_density,
    overlay,
    render_rgb,
)
from stainbridge.imaging.transform_maps import (
    DIVERGING,
    AreaMap,
    area_map,
    draw_area_map,
    moving_grid,
)
from stainbridge.registration.result import Registration
from stainbridge.report import words
from stainbridge.report.agreement import (
    Cell,
    choose_examples,
    draw_agreement,
    measure_agreement,
)
from stainbridge.report.figures import Figure, figure, svg_path
from stainbridge.report.scale_bar import ScaleBar, make_scale_bar
from stainbridge.report.tissue_map import (
    describe_misfit,
    list_pieces,
    outline_misfit,
    outline_pieces,
)
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Plane
from stainbridge.whole import whole_file

#: Pixels along the longer side of the report's pictures: a wide screen, and a file of a few MB.
LONGEST_PX = 1200
#: Side of the details at full resolution, in pixels.
DETAIL_PX = 208


@dataclass(frozen=True)
class Detail:
    """A place at full resolution."""

    name: str
    """Which one it is: best, median or worst."""
    agreement: str
    """How far both slides agree there."""
    fixed: Figure
    """The fixed slide."""
    warped: Figure
    """The moving slide, warped."""
    scale: ScaleBar
    """Its scale bar."""


def write_report(
    path: Path,
    registration: Registration,
    fixed: Slide,
    moving: Slide,
    translated: Slide | None = None,
) -> None:
    """Write the report to `path`, whole or not at all.

    Reads the slides at 1200 pixels at most; none is closed. `translated` is one of them as the
    registration saw it, where that is another stain. The page of a failed registration shows both
    slides, the reason and what to try. Raises `InputError` when the file cannot be written.
    """
    page = report_html(registration, fixed, moving, translated)
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def report_html(
    registration: Registration,
    fixed: Slide,
    moving: Slide,
    translated: Slide | None = None,
) -> str:
    """Return the report as HTML; see `write_report`."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("stainbridge.report").joinpath("template.html").read_text(encoding="utf-8")
    content = _common_content(registration, fixed, moving)
    content |= _translated_content(registration, translated)
    if registration.status == "failed":
        content |= {
            "fixed_picture": figure(render_rgb(_read_overview(fixed))),
            "moving_picture": figure(render_rgb(_read_overview(moving))),
        }
    else:
        content |= _transform_content(registration, registration.transform, fixed, moving)
    return environment.from_string(source).render(content)


def _common_content(registration: Registration, fixed: Slide, moving: Slide) -> dict[str, Any]:
    """Return what the page of any registration shows."""
    sides = (("Fixed slide", fixed), ("Moving slide", moving))
    return {
        "verdict": words.describe_status(registration),
        "fixed_name": _file_name(fixed),
        "moving_name": _file_name(moving),
        "stages": [
            words.stage_row(stage, discarded=registration.status == "failed")
            for stage in registration.stages
        ],
        "slides": [
            (title, words.slide_facts(slide), slide.info.warnings) for title, slide in sides
        ],
        "remedies": words.REMEDIES,
        "seconds": words.format_seconds(registration.seconds),
        "seed": registration.seed,
        "version": version("stainbridge"),
    }


def _translated_content(registration: Registration, translated: Slide | None) -> dict[str, Any]:
    """Return the picture of the translated slide, None where there is none."""
    if translated is None:
        return {"translated": None, "translated_side": "", "translated_stain": ""}
    is_fixed = translated.frame.space == registration.fixed.space
    return {
        "translated": figure(render_rgb(_read_overview(translated))),
        "translated_side": "fixed" if is_fixed else "moving",
        "translated_stain": translated.stain or "another stain",
    }


def _transform_content(
    registration: Registration,
    transform: Transform,
    fixed: Slide,
    moving: Slide,
) -> dict[str, Any]:
    """Return the pictures and numbers of a registration that has a transform."""
    view = fixed.frame.fit(LONGEST_PX)
    fixed_rgb, fixed_density = _read_picture(fixed, view)
    unregistered = place_unregistered(fixed.frame.space, moving.frame.space)
    _, moving_density = _read_picture(WarpedSlide(moving, unregistered), view)
    warped_rgb, warped_density = _read_picture(WarpedSlide(moving, transform), view)
    areas = area_map(transform)
    cells = measure_agreement(fixed_density, warped_density)
    pictures: dict[str, Callable[[], Picture]] = {
        "fixed_picture": lambda: fixed_rgb,
        "before": lambda: overlay(fixed_density, moving_density),
        "agreement": lambda: draw_agreement(fixed_density, cells),
        "warped_picture": lambda: warped_rgb,
        "after": lambda: overlay(fixed_density, warped_density),
        "checkerboard": lambda: checkerboard(fixed_rgb, warped_rgb),
        "areas": lambda: draw_area_map(areas, fixed_density),
    }
    draws = list(pictures.values())
    figures = parallel_map(lambda draw: figure(draw()), draws, available_cores())
    return {
        **dict(zip(pictures, figures, strict=True)),
        "scale": make_scale_bar(view),
        "details": _draw_details(choose_examples(cells), view, fixed, moving, transform),
        "headline": words.headline_facts(registration, transform, areas.folded_share),
        "grid": [svg_path(line) for line in moving_grid(transform, view)],
        "scale_colours": [f"rgb{colour}" for colour in DIVERGING],
        "scale_ticks": _scale_ticks(areas),
        "folds": _fold_sentence(areas),
        **_tissue_content(registration, view, moving),
    }


def _read_picture(slide: Slide, view: Frame) -> tuple[Picture, Plane]:
    """Return what a slide shows on `view`: its picture (H, W, 3), and its density (H, W)."""
    image = slide.read(view)
    return render_rgb(image), display_density(image)


def _tissue_content(registration: Registration, view: Frame, moving: Slide) -> dict[str, Any]:
    """Return the pieces of tissue, and the tissue that does not fit, over both slides."""
    overview = _read_overview(moving) if registration.pieces else None
    return {
        "pieces": list_pieces(registration),
        "moving_picture": None if overview is None else figure(render_rgb(overview)),
        "fixed_shapes": outline_pieces(registration, "fixed", view),
        "moving_shapes": (
            [] if overview is None else outline_pieces(registration, "moving", overview.frame)
        ),
        "misfit": outline_misfit(registration, view),
        "misfit_sentence": describe_misfit(registration),
    }


def _draw_details(
    examples: dict[str, Cell], view: Frame, fixed: Slide, moving: Slide, transform: Transform
) -> list[Detail]:
    """Return what both slides show at full resolution about the middle of each example."""
    warped = WarpedSlide(moving, transform)
    details = []
    for name, cell in examples.items():
        x, y = fixed.frame.to_px(np.array([cell.centre_um(view)]))[0]
        width, height = (min(DETAIL_PX, side) for side in (fixed.frame.width, fixed.frame.height))
        left = int(np.clip(x - width / 2, 0, fixed.frame.width - width))
        top = int(np.clip(y - height / 2, 0, fixed.frame.height - height))
        frame = fixed.frame.crop(left, top, width, height)
        details.append(
            Detail(
                name=name,
                agreement=f"{cell.agreement:.2f}",
                fixed=figure(render_rgb(fixed.read(frame))),
                warped=figure(render_rgb(warped.read(frame))),
                scale=make_scale_bar(frame),
            )
        )
    return details


def _read_overview(slide: Slide) -> Image:
    return slide.read(slide.frame.fit(LONGEST_PX))


def _file_name(slide: Slide) -> str:
    return Path(slide.info.path).name


def _scale_ticks(areas: AreaMap) -> list[tuple[float, str]]:
    """Return places along the colour bar, in percent, and the area factor at each."""
    limit = areas.limit
    return [(n * 25.0, f"× {limit ** (n / 2 - 1):.2f}") for n in range(5)]


def _fold_sentence(areas: AreaMap) -> str:
    low = float(np.nanmin(areas.factor))
    high = float(np.nanmax(areas.factor))
    folded = f"{words.format_percent(areas.folded_share)} of the area folds"
    share = "No fold" if areas.folded_share == 0 else folded
    samples = f"{areas.grid.width} × {areas.grid.height} samples"
    return f"{share}; factors from {low:.2f} to {high:.2f}, at {samples}."

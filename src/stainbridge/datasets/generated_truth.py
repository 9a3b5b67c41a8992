"""What `stainbridge phantom` knows of its cases beside what `pairs.csv` says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stainbridge.errors import InputError
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.slides.case import Case, OpenSlideFunction
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Slide

#: The file in a generated data set that says how each pair was generated.
CASES = "cases.json"
#: What a generated pair is made again from.
PAIR_FIELDS = ("seed", "difficulty", "organ", "size_px", "mpp", "fixed_stain", "moving_stain")


def read_generated_cases(root: Path) -> dict[str, Mapping[str, Any]]:
    """Read how the cases of a data set were generated, by their ids.

    A data set that was not generated has none. Raises `InputError` for a damaged file.
    """
    path = root / CASES
    if not path.is_file():
        return {}
    try:
        records = {str(record["case"]): record for record in json.loads(path.read_text("utf-8"))}
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            "not the cases of a generated data set", where=path, got=repr(error)
        ) from error
    for case, record in records.items():
        missing = [name for name in PAIR_FIELDS if name not in record]
        if missing:
            raise InputError(
                "not a generated case", where=f"{path}: {case}", expected=", ".join(missing)
            )
    return records


def add_classes(case: Case, record: Mapping[str, Any], root: Path) -> Case:
    """Return a case with the tissue classes of its generated slides, where it has no labels."""
    fixed = record.get("fixed_classes")
    moving = record.get("moving_classes")
    if case.open_fixed_labels is not None or not fixed or not moving:
        return case
    return replace(
        case,
        open_fixed_labels=partial(open_slide, root / fixed),
        open_moving_labels=partial(open_slide, root / moving),
    )


def same_stain_opener(record: Mapping[str, Any]) -> OpenSlideFunction:
    """Return what opens the fixed section of a generated pair in the moving slide's stain."""
    return partial(render_same_stain, {name: record[name] for name in PAIR_FIELDS})


def render_same_stain(settings: Mapping[str, Any]) -> Slide:
    """Generate the fixed slide of a pair in the stain of the moving one, in memory.

    The section, its place and its damage are those of the pair: these do not depend on the stain.
    """
    wanted = {**settings, "fixed_stain": settings["moving_stain"], "landmarks": 0}
    slide = generate_pair(**wanted).fixed
    pixels = np.ascontiguousarray(slide.read(slide.frame).pixels)
    return ArraySlide(pixels, name=slide.info.path, stain=slide.stain, space=slide.frame.space)

"""Write a generated pair as files: slides, landmarks, masks of tissue classes, and the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np

from stainbridge.geometry.files import write_transform
from stainbridge.geometry.fit import fit_affine
from stainbridge.geometry.landmarks import Landmarks, write_points_csv
from stainbridge.phantom.glass.fragment_slide import FragmentSlide
from stainbridge.phantom.glass.scanned_slide import ScannedSlide
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.fragment_pair import FragmentPair
from stainbridge.phantom.pairs.generated_pair import GeneratedPair
from stainbridge.phantom.pairs.pair import PhantomPair
from stainbridge.phantom.tissue.classes import CLASS_NAMES
from stainbridge.slides.writing.write import write_slide

#: The columns of `pairs.csv`.
PAIR_COLUMNS = ("case", "fixed", "moving", "fixed_landmarks", "moving_landmarks")
#: The sub-folders of a data set.
CASE_FOLDERS = ("images", "landmarks", "classes", "truth")
#: The mask of where the truth is valid has at most this many pixels a side.
MAX_MASK_PX = 1024
#: Quality of the slides' JPEG tiles.
_SLIDE_QUALITY = 90

Progress: TypeAlias = Callable[[str, float], None]  # what is written, and the share that is done


def write_case(
    pair: GeneratedPair, folder: Path, name: str, progress: Progress | None = None
) -> dict[str, str]:
    """Write `pair` into the sub-folders `CASE_FOLDERS`, and return the files' paths by content.

    The paths are relative to `folder`. Slides are pyramidal OME-TIFFs, classes OME-TIFFs of numbers
    (`classes.CLASS_NAMES`) without loss, landmarks ANHIR CSVs. `truth` and `inverse` are ITK
    displacement fields on up to 1024 pixels a side, moving_from_fixed and back. `valid` is a
    picture of the fixed slide, white where the truth is valid. Each file appears whole or not at
    all.

    Raises `InputError` when a file exists or cannot be written.
    """
    for sub_folder in CASE_FOLDERS:
        (folder / sub_folder).mkdir(exist_ok=True)
    report = progress or (lambda _what, _done: None)
    files: dict[str, str] = {}
    sides = (
        ("fixed", pair.fixed, pair.fixed_landmarks),
        ("moving", pair.moving, pair.moving_landmarks),
    )
    for side, slide, landmarks in sides:
        files |= _write_side(slide, landmarks, folder, f"{name}_{side}", side, report)
    files["truth"] = f"truth/{name}.mha"
    files["inverse"] = f"truth/{name}_inverse.mha"
    files["valid"] = f"truth/{name}_valid.png"
    write_transform(folder / files["truth"], pair.truth)
    write_transform(folder / files["inverse"], pair.truth.inverse())
    valid = pair.valid_mask(pair.fixed.frame.fit(MAX_MASK_PX))
    picture = cv2.imencode(".png", valid.astype(np.uint8) * 255)[1]
    (folder / files["valid"]).write_bytes(picture.tobytes())
    return files


def _write_side(
    slide: ScannedSlide,
    landmarks: Landmarks,
    folder: Path,
    stem: str,
    side: str,
    progress: Progress,
) -> dict[str, str]:
    """Write one slide with its landmarks and classes."""
    files = {
        side: f"images/{stem}_{slide.stain.lower()}.ome.tiff",
        f"{side}_landmarks": f"landmarks/{stem}.csv",
        f"{side}_classes": f"classes/{stem}.ome.tiff",
    }
    write_slide(
        slide,
        folder / files[side],
        quality=_SLIDE_QUALITY,
        progress=lambda n, of: progress(f"{stem} slide", n / of),
    )
    write_slide(
        slide.classes,
        folder / files[f"{side}_classes"],
        reduction="nearest",
        progress=lambda n, of: progress(f"{stem} classes", n / of),
    )
    write_points_csv(folder / files[f"{side}_landmarks"], landmarks.points_px, landmarks.labels)
    return files


def describe_pair(pair: PhantomPair) -> dict[str, Any]:
    """Return what was generated as plain values: settings, what was drawn, landmark distances.

    `rtre_given` and `rtre_affine` are median distances of corresponding landmarks in diagonals of
    the fixed slide, as they lie and after the affine map that fits them best.
    """
    config = pair.config
    deformation = pair.moving.deformation
    return {
        "seed": config.seed,
        "difficulty": config.difficulty,
        "organ": pair.fixed.section.tissue.organ,
        "fixed_stain": pair.fixed.stain,
        "moving_stain": pair.moving.stain,
        "size_px": config.size_px,
        "mpp": config.mpp,
        "distance_um": pair.moving.section.distance_um,
        "rotation_deg": deformation.rotation_deg,
        "flip": deformation.flip,
        "scale": deformation.scale,
        "shear": deformation.shear,
        "elastic_um": deformation.elastic_um,
        "tears": len(deformation.tears),
        **_describe_damage(pair.moving),
        **{f"fixed_{name}": value for name, value in _describe_damage(pair.fixed).items()},
        "landmarks": len(pair.fixed_landmarks.labels),
        **_measure_landmarks(pair),
        "classes": list(CLASS_NAMES),
    }


def describe_fragments(pair: FragmentPair) -> dict[str, Any]:
    """Return what was generated as plain values: settings, each piece of both slides, distances.

    `rtre_given` and `rtre_affine` are those of `describe_pair`.
    """
    config = pair.config
    return {
        "seed": config.seed,
        "difficulty": config.arrangement,
        "organ": pair.fixed.fragments[0].section.tissue.organ,
        "fixed_stain": pair.fixed.stain,
        "moving_stain": pair.moving.stain,
        "size_px": config.size_px,
        "mpp": config.mpp,
        "distance_um": config.distance_um,
        "partners": list(pair.partners),
        "fixed_pieces": _describe_pieces(pair.fixed),
        "moving_pieces": _describe_pieces(pair.moving),
        "landmarks": len(pair.fixed_landmarks.labels),
        **_measure_landmarks(pair),
        "classes": list(CLASS_NAMES),
    }


def _describe_pieces(slide: FragmentSlide) -> list[dict[str, Any]]:
    """Return where each piece lies, in full-resolution pixels, and how it is turned."""
    return [
        {
            "name": fragment.name,
            "centre_px": slide.frame.to_px(np.array(fragment.centre_um)).tolist(),
            "rotation_deg": fragment.deformation.rotation_deg,
            "flip": fragment.deformation.flip,
            "scale": fragment.deformation.scale,
        }
        for fragment in slide.fragments
    ]


def _describe_damage(slide: PhantomSlide) -> dict[str, Any]:
    """Return what happened to a section on its glass and in the scanner."""
    return {
        "folds": len(slide.deformation.folds),
        "holes": len(slide.holes),
        "pieces": len(slide.pieces),
        "artefacts": [type(artefact).__name__ for artefact in slide.artefacts],
        "jpeg_quality": slide.jpeg_quality,
        "dye_strength": list(slide.laboratory.strength),
    }


def _measure_landmarks(pair: GeneratedPair) -> dict[str, float | None]:
    """Return how far apart corresponding landmarks lie; None for too few of them."""
    fixed = pair.fixed_landmarks.points_um
    moving = pair.moving_landmarks.points_um
    if len(fixed) < 4:
        return {"rtre_given": None, "rtre_affine": None}
    fitted = fit_affine(fixed, moving, pair.fixed.frame.space, pair.moving.frame.space)(fixed)
    diagonal_um = pair.fixed.frame.diagonal_um
    return {
        "rtre_given": float(np.median(np.hypot(*(moving - fixed).T))) / diagonal_um,
        "rtre_affine": float(np.median(np.hypot(*(moving - fitted).T))) / diagonal_um,
    }

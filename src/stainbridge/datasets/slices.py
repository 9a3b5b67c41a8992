"""Slices in two modalities, paired by file name: of an MRI (fixed) and of histology (moving).

Casamitjana et al. 2022, "Robust joint registration of multiple stains and MRI for multimodal 3D
histology reconstruction", doi:10.1016/j.media.2021.102265: `mri`, `histo_affine`, and `_mask` or
`_labels` of each. Generated and other stacks have `fixed` and `moving`. `_landmarks` beside either
holds an ANHIR CSV for each slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stainbridge.datasets.layout import DataSetLayout
from stainbridge.datasets.picture_names import (
    find_partners,
    list_pictures,
    match_names,
    order_naturally,
    strip_ending,
)
from stainbridge.datasets.table import read_landmark_pair
from stainbridge.errors import InputError
from stainbridge.imaging.labels import take_labels
from stainbridge.slides.case import Case, OpenSlideFunction
from stainbridge.slides.slide import Slide
from stainbridge.types import Points

#: The folders of the fixed and the moving slices; the first pair that exists.
FOLDERS = (("fixed", "moving"), ("mri", "histo_affine"), ("mri", "histo"))


def find(path: Path) -> Path | None:
    """Return the folder, where it has both kinds of slices, or None."""
    return path if _find_folders(path) is not None else None


def read(folder: Path) -> list[Case]:
    """Read a case for each slice, with landmarks, masks and labels; labels are masks, too.

    Numbers in names are in the order of the stack, with leading zeros or without.
    No picture is opened: `check_slices` does that. Raises `InputError` for slices without their
    partners, landmarks of one side only, and masks of some slices only.
    """
    folders = _find_folders(folder)
    assert folders is not None
    fixed, moving = folders
    pairs = sorted(match_names(fixed, moving), key=lambda pair: order_naturally(pair[0]))
    names, others = [name for name, _ in pairs], [other for _, other in pairs]
    fixed_masks, moving_masks = _find_masks(fixed, names), _find_masks(moving, others)
    fixed_labels = _find_beside(fixed, "labels", names)
    moving_labels = _find_beside(moving, "labels", others)
    return [
        Case.from_files(
            strip_ending(name),
            fixed / name,
            moving / other,
            _read_landmarks(fixed, moving, name),
            fixed_mask=fixed_masks.get(name, fixed_labels.get(name)),
            moving_mask=moving_masks.get(other, moving_labels.get(other)),
            fixed_labels=fixed_labels.get(name),
            moving_labels=moving_labels.get(other),
        )
        for name, other in pairs
    ]


def check_slices(cases: Sequence[Case]) -> None:
    """Open the masks and labels of slices, before long work begins with them.

    Raises `InputError` for one of another size than its slice, an empty mask, and labels that are
    not whole numbers of one channel.
    """
    for case in cases:
        for open_slide, open_mask, open_labels in (
            (case.open_fixed, case.open_fixed_mask, case.open_fixed_labels),
            (case.open_moving, case.open_moving_mask, case.open_moving_labels),
        ):
            with open_slide() as slide:
                _check_mask(slide, open_mask)
                _check_labels(slide, open_labels)


def _check_mask(slide: Slide, open_mask: OpenSlideFunction | None) -> None:
    if open_mask is None:
        return
    with open_mask() as mask:
        _check_size("a mask", mask, slide)
        if not mask.read(mask.frame).pixels.any():
            raise InputError("an empty mask", where=mask.info.path, expected="tissue that is not 0")


def _check_labels(slide: Slide, open_labels: OpenSlideFunction | None) -> None:
    if open_labels is None:
        return
    with open_labels() as labels:
        _check_size("a label picture", labels, slide)
        take_labels(labels.read(labels.frame).pixels, labels.info.path)


def _check_size(what: str, picture: Slide, slide: Slide) -> None:
    """Raise `InputError` for a picture of another size than its slice."""
    size = picture.frame.width, picture.frame.height
    expected = slide.frame.width, slide.frame.height
    if size != expected:
        raise InputError(
            f"{what} has another size than its slice",
            where=picture.info.path,
            expected="{} x {} pixels".format(*expected),
            got="{} x {}".format(*size),
        )


def _find_folders(folder: Path) -> tuple[Path, Path] | None:
    """Return the folders of the fixed and the moving slices, or None."""
    pairs = ((folder / fixed, folder / moving) for fixed, moving in FOLDERS)
    return next((pair for pair in pairs if all(path.is_dir() for path in pair)), None)


def _read_landmarks(fixed: Path, moving: Path, name: str) -> tuple[Points, Points] | None:
    """Return the landmarks of a slice, or None where it has none."""
    table = f"{strip_ending(name)}.csv"
    tables = [_name_beside(slices, "landmarks") / table for slices in (fixed, moving)]
    missing = [table for table in tables if not table.is_file()]
    if len(missing) == 1:
        raise InputError(
            "landmarks of one slide only", where=missing[0], expected="both or neither"
        )
    return None if missing else read_landmark_pair(*tables)


def _find_masks(slices: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the mask of each slice by its name; none where there are no masks.

    Raises `InputError` where only some slices have one.
    """
    masks = _find_beside(slices, "mask", names)
    missing = [name for name in names if name not in masks]
    if masks and missing:
        raise InputError(
            "a slice without its mask",
            where=_name_beside(slices, "mask") / missing[0],
            expected="masks of all slices, or of none",
        )
    return masks


def _find_beside(slices: Path, kind: str, names: Sequence[str]) -> dict[str, Path]:
    """Return the pictures in the folder `…_kind` by the names of their slices.

    Raises `InputError` where the folder has pictures, and none of a slice.
    """
    folder = _name_beside(slices, kind)
    pictures = list_pictures(folder)
    partners = find_partners(names, pictures)
    if pictures and not partners:
        raise InputError(
            "no picture here belongs to a slice",
            where=folder,
            expected=f"names as in {slices.name}, such as {names[0]}",
            got=min(pictures),
        )
    return {name: folder / partner for name, partner in partners.items()}


def _name_beside(slices: Path, kind: str) -> Path:
    return slices.with_name(f"{slices.name}_{kind}")


LAYOUT = DataSetLayout("slices", "fixed/ + moving/, mri/ + histo_affine/", find, read)

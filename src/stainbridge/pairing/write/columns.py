"""The columns of a set's manifest: what each means, and how it is got from a patch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from stainbridge.pairing.patch import Patch
from stainbridge.slides.patch_manifest import FIXED_FOLDER, KEPT, MOVING_FOLDER

#: What a field of the manifest holds.
Value: TypeAlias = str | int | float | bool
#: What a field of `kept` and `calibrated` holds otherwise.
NO = "no"
YES = KEPT


#: The types of fields.
Kind: TypeAlias = type[str] | type[int] | type[float] | type[bool]


@dataclass(frozen=True)
class Column:
    """A column of the manifest."""

    name: str
    """Its heading."""
    kind: Kind
    """What its fields hold. An empty field of numbers is nan: nothing tells."""
    read: Callable[[Patch], Value]
    """How it is got from a patch."""
    meaning: str
    """What it means, in a few words, with its unit."""


def name_picture(patch: Patch, folder: str) -> str:
    """Return a kept patch's file in `HE` or `IHC`, relative to the set; "" of a dropped one."""
    return f"{folder}/{patch.split}/{patch.name}.png" if patch.is_kept else ""


def _copy(name: str, kind: Kind, meaning: str) -> Column:
    """Return a column that is a field of `Patch`."""
    return Column(name, kind, lambda patch: getattr(patch, name), meaning)


def _score(name: str, meaning: str) -> Column:
    """Return a column that is a field of `PatchScores`."""
    return Column(name, float, lambda patch: getattr(patch.scores, name), meaning)


#: The columns, in their order. Those that `Patch` has no field for are read by people and tools.
COLUMNS: tuple[Column, ...] = (
    _copy("name", str, "file name without ending, the same in both folders"),
    _copy("pair", str, "id of the slide pair"),
    _copy("patient", str, "whose tissue it is"),
    _copy("split", str, "train, val or test; a patient is in one only"),
    _copy("label", str, "class of the slide pair, or empty"),
    Column("kept", bool, lambda patch: patch.is_kept, "whether the patch is in the set"),
    _copy("dropped_for", str, "the first threshold that it does not meet; empty where kept"),
    Column(
        "fixed_picture",
        str,
        lambda patch: name_picture(patch, FIXED_FOLDER),
        "file of the fixed picture; empty where dropped",
    ),
    Column(
        "moving_picture",
        str,
        lambda patch: name_picture(patch, MOVING_FOLDER),
        "file of the moving picture; empty where dropped",
    ),
    _copy("fixed", str, "fixed slide"),
    _copy("moving", str, "moving slide"),
    _copy("x_px", int, "left edge in full-resolution pixels of the fixed slide"),
    _copy("y_px", int, "top edge in full-resolution pixels of the fixed slide"),
    _copy("side_px", float, "side in full-resolution pixels of the fixed slide"),
    _copy("moving_x_px", float, "centre in full-resolution pixels of the moving slide"),
    _copy("moving_y_px", float, "centre in full-resolution pixels of the moving slide"),
    _copy("mpp", float, "µm per pixel of the patch; full-resolution pixels if not calibrated"),
    _copy("calibrated", bool, "whether the slide states its pixel size"),
    _copy("status", str, "verdict of the registration: ok or fallback"),
    _score("tissue_fixed", "share of the fixed picture that is tissue"),
    _score("tissue_moving", "share of the moving picture that is tissue"),
    _score("residual_px", "estimated misalignment in pixels of the patch"),
    _score("residual_uncertainty_px", "standard error of that estimate"),
    Column("residual_um", float, lambda patch: patch.residual_um, "estimated misalignment in µm"),
    _score("blur_fixed", "radius of the blur of the fixed picture in pixels"),
    _score("blur_moving", "radius of the blur of the moving picture in pixels"),
    _score("pen", "largest share of either picture that is pen ink"),
    _score("fold", "largest share of either picture that is folded tissue"),
    _score("positive", "share of the moving picture that is positive for DAB"),
)

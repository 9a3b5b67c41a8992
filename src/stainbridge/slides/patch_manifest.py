"""Read the manifest of a paired data set, as far as training and evaluation need it.

`stainbridge pairs` writes the manifest; a row is a patch. Rooms that do not know how a set is
made read it here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from stainbridge.errors import InputError, MissingFileError
from stainbridge.slides.manifest import TableRow, read_table

#: The manifest's name in the folder of a set.
MANIFEST = "manifest.csv"
#: The folders of a set's pictures: those of the fixed and those of the moving slides.
FIXED_FOLDER = "HE"
MOVING_FOLDER = "IHC"
#: What `kept` holds of a patch that is in the set.
KEPT = "yes"
#: The columns that are read here, of those that `stainbridge.pairing.write` documents.
COLUMNS = (
    "name",
    "patient",
    "split",
    "label",
    "kept",
    "residual_px",
    "residual_uncertainty_px",
    "residual_um",
)


@dataclass(frozen=True)
class KeptPatch:
    """A pair of pictures of a set, and how well they are aligned."""

    name: str
    """File name without ending, the same in both folders."""
    patient: str
    """Whose tissue it is."""
    split: str
    """`train`, `val` or `test`."""
    label: str
    """Class of the slide pair, or empty."""
    residual_px: float
    """Estimated misalignment in pixels of the patch."""
    residual_uncertainty_px: float
    """Standard error of that estimate; nan where nothing tells."""
    residual_um: float
    """The estimate in µm; nan where no pixel size is known."""

    @property
    def fixed_file(self) -> Path:
        """The fixed picture, relative to the set's folder."""
        return Path(FIXED_FOLDER) / self.split / f"{self.name}.png"

    @property
    def moving_file(self) -> Path:
        """The moving picture, relative to the set's folder."""
        return Path(MOVING_FOLDER) / self.split / f"{self.name}.png"


def read_kept_patches(folder: Path) -> list[KeptPatch]:
    """Return the patches of the set in `folder`, in the order of its manifest.

    Raises `MissingFileError` without a manifest. Raises `InputError` for missing columns and for
    what is no number, and for a manifest without rows.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise MissingFileError(
            "no such file", where=path, remedy="name the folder that `stainbridge pairs` made"
        )
    return [_make_patch(row, path) for row in read_table(path, COLUMNS) if row["kept"] == KEPT]


def parse_number(text: str, column: str, where: object) -> float:
    """Return a number of a manifest, nan for an empty field; raise `InputError` for others."""
    if not text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise InputError("not a number", where=where, expected=column, got=text) from None


def _make_patch(row: TableRow, path: Path) -> KeptPatch:
    where = f"{path}: {row['name']}"
    residuals = {
        name: parse_number(row[name], name, where)
        for name in ("residual_px", "residual_uncertainty_px", "residual_um")
    }
    return KeptPatch(
        name=row["name"],
        patient=row["patient"],
        split=row["split"],
        label=row["label"],
        **residuals,
    )

"""One case of a cohort: two slides, and what is known of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CohortCase:
    """Two slides to register, as a row of a manifest names them."""

    id: str
    """What tells the case from others; the name of its folder."""
    fixed: Path
    """The slide that stays in place."""
    moving: Path
    """The slide that is aligned to the fixed one."""
    fixed_mask: Path | None = None
    """A picture of the fixed slide that is not 0 where tissue may be used."""
    moving_mask: Path | None = None
    """A picture of the moving slide that is not 0 where tissue may be used."""
    fixed_mpp: float | None = None
    """µm per pixel of the fixed slide, where its file is wrong or silent."""
    moving_mpp: float | None = None
    """µm per pixel of the moving slide, where its file is wrong or silent."""
    fixed_landmarks: Path | None = None
    """Points on the fixed slide, to measure the result by."""
    moving_landmarks: Path | None = None
    """The same points on the moving slide."""
    fixed_annotations: Path | None = None
    """GeoJSON of the fixed slide, to carry onto the moving one."""
    moving_annotations: Path | None = None
    """GeoJSON of the moving slide, to carry onto the fixed one."""
    init: Path | None = None
    """A fixed-to-moving transform file to start from instead of a search."""
    write_slide: bool = False
    """Whether to write the warped moving slide too."""

    def list_files(self) -> dict[str, Path]:
        """Return the files that the case reads, by their column."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in values.items() if isinstance(value, Path)}

    def describe(self) -> dict[str, Any]:
        """Return the fields as JSON values; paths with forward slashes."""
        return {
            name: value.as_posix() if isinstance(value, Path) else value
            for name, value in asdict(self).items()
        }

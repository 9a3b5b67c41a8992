"""One run of one method on one case from one start, and the row it leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from zlib import crc32

from stainbridge.evaluate.starts import Start
from stainbridge.metrics.landmarks import CaseErrors, Spread
from stainbridge.slides.case import Case

#: `ok`, `fallback` and `failed` are a method's own words; the others are ours.
Status = Literal["ok", "fallback", "failed", "timeout", "crashed", "unreadable"]

#: A registration is a success below this median rTRE.
SUCCESS_RTRE = 0.01
#: A process makes this file when the registration itself begins.
BEGAN = "began"


@dataclass(frozen=True, eq=False)
class Job:
    """What to run. Picklable: a case opens its slides in the process that runs it.

    `root` is the folder of the data set, where it is known.
    """

    data_set: str
    case: Case
    method: str
    start: Start
    root: Path | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells runs apart."""
        return self.data_set, self.case.id, self.start.name, self.method

    @property
    def slug(self) -> str:
        """The key as a file name."""
        return slug(self.key)


def slug(key: tuple[str, ...]) -> str:
    """Names as one file name; those that lose letters by that are told apart by a checksum."""
    plain = "__".join(
        "".join(c if c.isalnum() or c in "-._" else "_" for c in name) for name in key
    )
    return plain if plain == "__".join(key) else f"{plain}-{crc32(repr(key).encode()):08x}"


@dataclass(frozen=True)
class Row:
    """What came of a run.

    `before` and `after` are rTRE over the fixed slide's diagonal; `before` is None where no
    landmarks are known, `after` also where the method gave no result. `seconds` is the registration
    inside its process, reading the slides' overviews included, loading libraries not, and the limit
    where it ran out of time; `cpu_s` what processors spent on it, all cores together; `wall_s` the
    whole process; `peak_mb` its largest memory. `fixed` and `moving` are paths in the data set's
    folder, or what a disturbed slide is; `diagonal_um` is None where the fixed slide has no pixel
    size; `cover` is `Case.cover`.
    """

    data_set: str
    case: str
    start: str
    method: str
    status: str
    reason: str = ""
    landmarks: int = 0
    before: Spread | None = None
    after: Spread | None = None
    robustness: float = 0.0
    tre_px: float | None = None
    folded: float | None = None
    predicted_rtre: float | None = None
    seconds: float | None = None
    cpu_s: float | None = None
    wall_s: float | None = None
    peak_mb: float | None = None
    fixed: str = ""
    moving: str = ""
    fixed_size: tuple[int, int] = (0, 0)
    diagonal_um: float | None = None
    cover: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells runs apart; as `Job.key`."""
        return self.data_set, self.case, self.start, self.method

    @property
    def slug(self) -> str:
        """The key as a file name; as `Job.slug`."""
        return slug(self.key)

    @property
    def kind(self) -> str:
        """`given` or `hard`."""
        return self.start.partition("-")[0]

    @property
    def errors(self) -> CaseErrors | None:
        """For scores over cases; None where nothing is known."""
        return None if self.before is None else CaseErrors(self.before, self.after, self.robustness)

    @property
    def counted_um(self) -> Spread | None:
        """What ANHIR would count, in µm on the fixed slide; None where nothing is known or it has
        no pixel size.
        """
        if self.errors is None or self.diagonal_um is None:
            return None
        return self.errors.counted.times(self.diagonal_um)

    @property
    def ended_well(self) -> bool:
        """Whether there is a map."""
        return self.status in ("ok", "fallback")

    @property
    def success(self) -> bool:
        """Whether the median rTRE is below `SUCCESS_RTRE`."""
        return self.after is not None and self.after.median < SUCCESS_RTRE

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Row:
        """A row from `to_dict`'s values; raises `TypeError` for others."""
        given = dict(data)
        for name in ("before", "after"):
            given[name] = Spread(**data[name]) if data.get(name) else None
        for name in ("fixed_size", "cover"):
            given[name] = tuple(data.get(name, ()))
        return cls(**given)

"""The row that a benchmark run leaves: which run it was, how it ended, and its errors and cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal
from zlib import crc32

from stainbridge.metrics.landmarks import CaseErrors, ErrorSummary

#: `ok`, `fallback` and `failed` come from the method itself; the benchmark sets the others.
RunStatus = Literal["ok", "fallback", "failed", "timeout", "crashed", "unreadable"]

#: A registration is a success below this median rTRE: 1 % of the fixed slide's diagonal.
SUCCESS_RTRE = 0.01


def slug(key: tuple[str, ...]) -> str:
    """Return names as one file name; a checksum is added where letters had to be replaced."""
    plain = "__".join(
        "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in name)
        for name in key
    )
    return plain if plain == "__".join(key) else f"{plain}-{crc32(repr(key).encode()):08x}"


@dataclass(frozen=True)
class Row:
    """The result of one run: one method on one case from one start.

    An rTRE is a landmark's error on the fixed slide ÷ the diagonal of the fixed slide.
    """

    data_set: str
    """The name of the data set."""
    case: str
    """The id of the case."""
    start: str
    """The name of the start: `given`, or `hard-00` and so on."""
    method: str
    """The name of the method."""
    status: str
    """How the run ended; a `RunStatus`."""
    reason: str = ""
    """Why it ended so, in one line."""
    landmarks: int = 0
    """How many landmarks are known on both slides."""
    before: ErrorSummary | None = None
    """The rTRE of the unregistered slides; None where no landmarks are known."""
    after: ErrorSummary | None = None
    """The rTRE of the result; None also where there is no result."""
    robustness: float = 0.0
    """The share of landmarks that came closer, 0 to 1."""
    tre_px: float | None = None
    """The median error on the fixed slide, in its full-resolution pixels."""
    moving_tre_px: float | None = None
    """The median error on the moving slide, in its full-resolution pixels."""
    folded: float | None = None
    """The share of the fixed slide's area where the transform folds."""
    predicted_rtre: float | None = None
    """The median rTRE that the method itself predicts."""
    seconds: float | None = None
    """Wall time of the registration, without loading libraries; the limit after a timeout."""
    cpu_s: float | None = None
    """Processor time of the registration, all cores together."""
    wall_s: float | None = None
    """Wall time of the whole process."""
    peak_mb: float | None = None
    """The process's largest memory in MiB."""
    fixed: str = ""
    """The path of the fixed slide in the data set's folder."""
    moving: str = ""
    """The path of the moving slide, or what a disturbed one is."""
    fixed_size: tuple[int, int] = (0, 0)
    """Width and height of the fixed slide in pixels."""
    diagonal_um: float | None = None
    """The diagonal of the fixed slide in µm; None where it has no pixel size."""
    cover: tuple[str, ...] = ()
    """The row of ANHIR's cover table; `Case.cover`."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells runs apart; equals `Run.key`."""
        return self.data_set, self.case, self.start, self.method

    @property
    def slug(self) -> str:
        """The key as a file name; equals `Run.slug`."""
        return slug(self.key)

    @property
    def kind(self) -> str:
        """The kind of start: `given` or `hard`."""
        return self.start.partition("-")[0]

    @property
    def errors(self) -> CaseErrors | None:
        """The errors for scores over cases; None where no landmarks are known."""
        return None if self.before is None else CaseErrors(self.before, self.after, self.robustness)

    @property
    def counted_um(self) -> ErrorSummary | None:
        """The errors that ANHIR would count, in µm on the fixed slide.

        None where no landmarks are known or the fixed slide has no pixel size.
        """
        if self.errors is None or self.diagonal_um is None:
            return None
        return self.errors.effective.scale(self.diagonal_um)

    @property
    def has_transform(self) -> bool:
        """Whether the run gave a transform."""
        return self.status in ("ok", "fallback")

    @property
    def success(self) -> bool:
        """Whether the median rTRE is below `SUCCESS_RTRE`."""
        return self.after is not None and self.after.median < SUCCESS_RTRE

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that `from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Row:
        """Make a row from the values of `to_dict`; raises `TypeError` for other values."""
        values = dict(data)
        for name in ("before", "after"):
            values[name] = ErrorSummary(**data[name]) if data.get(name) else None
        for name in ("fixed_size", "cover"):
            values[name] = tuple(data.get(name, ()))
        return cls(**values)

"""The page of a cohort: worst cases first, failures by reason, links to every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from stainbridge.cohort.folder import CASES, CohortFolder
from stainbridge.cohort.register_task import PICTURE
from stainbridge.cohort.task import Finished
from stainbridge.whole import whole_file

#: The page's file.
PAGE = "cohort.html"
#: Bars of the histogram.
BARS = 24
#: Size of the histogram in units of its drawing.
WIDTH = 720
HEIGHT = 140


@dataclass(frozen=True)
class Bar:
    """A bar of the histogram of predicted errors."""

    x: float
    """Its left edge."""
    y: float
    """Its top edge."""
    width: float
    """Its width."""
    height: float
    """Its height."""
    label: str
    """What it counts, in words."""


@dataclass(frozen=True)
class Row:
    """A case of the page."""

    id: str
    """The case."""
    status: str
    """Whether its result is of use."""
    reason: str
    """Why it is not "ok"."""
    error: str
    """The predicted error in percent of the diagonal."""
    error_um: str
    """The same in µm."""
    measured: str
    """The landmarks' median error in percent of the diagonal."""
    folder: str
    """The folder of its result, relative to the page."""
    picture: str
    """Its picture, relative to the page; empty where there is none."""
    report: str
    """Its report, relative to the page; empty where there is none."""


def write_page(folder: CohortFolder, cases: Iterable[str]) -> None:
    """Write the page of all cases that have ended; the same bytes on every run."""
    finished = [item for case in cases if (item := folder.read_finished(case))]
    with (
        whole_file(folder.path / PAGE) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        file.writelines(render_page(folder, finished))


def render_page(folder: CohortFolder, finished: Sequence[Finished]) -> Iterator[str]:
    """Yield the page as HTML, piece by piece: that of many cases is long."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("stainbridge.cohort").joinpath("template.html").read_text(encoding="utf-8")
    errors = [error for item in finished if (error := _read_error(item)) is not None]
    statuses = Counter(item.status for item in finished)
    content = {
        "total": len(finished),
        "counts": [(name, statuses[name]) for name in ("ok", "fallback", "failed")],
        "failures": group_failures(finished),
        "bars": draw_histogram(errors),
        "largest": _format_percent(max(errors, default=None)),
        "size": (WIDTH, HEIGHT),
        "rows": (make_row(folder, item) for item in sort_worst_first(finished)),
        "version": version("stainbridge"),
    }
    yield from environment.from_string(source).generate(content)


def sort_worst_first(finished: Iterable[Finished]) -> list[Finished]:
    """Return failed cases, then the others by falling predicted error."""
    return sorted(
        finished,
        key=lambda item: (item.status != "failed", -(_read_error(item) or 0.0), item.id),
    )


def group_failures(finished: Iterable[Finished]) -> list[tuple[str, list[Finished]]]:
    """Return the failed cases by kind of failure, the most frequent first."""
    groups: dict[str, list[Finished]] = {}
    for item in finished:
        if item.status == "failed":
            groups.setdefault(item.kind, []).append(item)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def draw_histogram(errors: Sequence[float]) -> list[Bar]:
    """Return the bars of predicted errors, from 0 to the largest."""
    if not errors:
        return []
    largest = max(errors) or 1.0
    counts = [0] * BARS
    for error in errors:
        counts[min(BARS - 1, int(BARS * error / largest))] += 1
    width = WIDTH / BARS
    highest = max(counts)
    bars = []
    for number, count in enumerate(counts):
        height = HEIGHT * count / highest
        low, high = (_format_percent(largest * (number + end) / BARS) for end in (0, 1))
        label = f"{count} with {low} to {high}"
        bars.append(Bar(number * width, HEIGHT - height, width - 2, height, label))
    return bars


def make_row(folder: CohortFolder, item: Finished) -> Row:
    """Return what the page shows of a case."""
    base = f"{CASES}/{item.id}"
    has = {name: (folder.case(item.id) / name).is_file() for name in (PICTURE, "report.html")}
    um = None if item.status == "failed" else item.facts.get("predicted_um")
    return Row(
        id=item.id,
        status=item.status,
        reason=item.reason,
        error=_format_percent(_read_error(item)),
        error_um="" if um is None else f"{um:.1f} µm",
        measured=_format_percent(item.facts.get("landmarks_rtre")),
        folder=base,
        picture=f"{base}/{PICTURE}" if has[PICTURE] else "",
        report=f"{base}/report.html" if has["report.html"] else "",
    )


def _read_error(item: Finished) -> float | None:
    """Return the predicted error of a result that is of use."""
    if item.status == "failed":
        return None
    value: Any = item.facts.get("predicted_rtre")
    return None if value is None else float(value)


def _format_percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"

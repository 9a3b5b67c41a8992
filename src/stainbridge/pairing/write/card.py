"""Write the data card of a set: what it holds, how it was made, how good it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version

from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.write.columns import COLUMNS
from stainbridge.pairing.write.digest import DIGESTS
from stainbridge.pairing.write.summary import Count, SetSummary, SkippedPair
from stainbridge.pairing.write.words import describe_condition, describe_resolution, format_number
from stainbridge.settings import to_yaml

#: The card's file name.
CARD = "card.md"
#: Packages whose version may change a picture or a score.
PACKAGES = (
    "stainbridge",
    "numpy",
    "scipy",
    "torch",
    "opencv-python-headless",
    "scikit-image",
    "SimpleITK",
    "pillow",
    "openslide-python",
    "openslide-bin",
    "tifffile",
    "imagecodecs",
)
#: The same of the engine elastix.
ELASTIX_PACKAGE = "itk-elastix"
#: What is told of each kind of patches.
COUNT_HEADER = ("patients", "slide pairs", "kept", "dropped", "median residual (px)")


def format_card(
    summary: SetSummary,
    patches: Sequence[Patch],
    config: PairingConfig,
    skipped: Sequence[SkippedPair],
    md5: str,
) -> str:
    """Return the card as Markdown. It tells nothing of the time or the machine."""
    sections = [
        _introduce(summary, patches, config, md5),
        "## Patches by split",
        _count_table("split", summary.splits),
        "## Patches by label",
        _count_table("label", summary.labels),
        "## Patches by verdict of the registration",
        _count_table("verdict", summary.statuses),
        "## Patches by slide pair",
        _count_table("slide pair", summary.pairs),
        *_list_skipped(skipped),
        "## Thresholds",
        _describe_thresholds(summary, config),
        "## Residual misalignment of kept patches",
        _describe_residuals(summary),
        "## Columns of the manifest",
        _table(("column", "meaning"), ((f"`{column.name}`", column.meaning) for column in COLUMNS)),
        "## Settings",
        f"```yaml\n{to_yaml(config)}```",
        "## Versions",
        _table(("package", "version"), list_versions(config)),
    ]
    return "\n\n".join(sections) + "\n"


def list_versions(config: PairingConfig) -> list[tuple[str, str]]:
    """Return the installed packages whose version may change the set, and their versions."""
    names = (*PACKAGES, ELASTIX_PACKAGE) if config.engine == "elastix" else PACKAGES
    return [(name, found) for name in names if (found := _find_version(name))]


def _find_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _introduce(
    summary: SetSummary, patches: Sequence[Patch], config: PairingConfig, md5: str
) -> str:
    total = summary.total
    return "\n".join(
        [
            "# Data card",
            "",
            f"This set holds {total.kept} pairs of patches from {total.pairs} slide pairs "
            f"of {total.patients} patients.",
            f"Each picture measures {describe_resolution(patches, config)}.",
            f"Another {total.dropped} patches missed a threshold and were dropped.",
            "`HE/SPLIT/NAME.png` shows the fixed slide.",
            "`IHC/SPLIT/NAME.png` shows the moving slide, warped onto the fixed one.",
            "All patches of a patient are in one split.",
            "`manifest.csv` tells origin and scores of every patch, also of the dropped ones.",
            "",
            f"MD5 of the set: `{md5}`.",
            f"It is the MD5 of `{DIGESTS}`, which holds the MD5 of every picture.",
            f"Check the pictures with `md5sum -c {DIGESTS}`.",
        ]
    )


def _count_table(name: str, counts: Iterable[Count]) -> str:
    rows = (
        (
            _escape(count.name) or "none",
            str(count.patients),
            str(count.pairs),
            str(count.kept),
            str(count.dropped),
            format_number(count.residual_px),
        )
        for count in counts
    )
    return _table((name, *COUNT_HEADER), rows)


def _list_skipped(skipped: Sequence[SkippedPair]) -> list[str]:
    """Return a section on the pairs that gave no patches; nothing without any."""
    if not skipped:
        return []
    rows = ((_escape(pair.id), _escape(pair.reason)) for pair in skipped)
    return ["## Skipped slide pairs", _table(("slide pair", "reason"), rows)]


def _describe_thresholds(summary: SetSummary, config: PairingConfig) -> str:
    rows = (
        (
            f"`{count.name}`",
            describe_condition(count.name, config.thresholds),
            str(count.dropped),
            str(count.unmet),
        )
        for count in summary.thresholds
    )
    table = _table(("threshold", "a patch is kept with", "dropped", "missed by"), rows)
    return (
        "Thresholds are asked in this order, and a patch is dropped for the first that it misses.\n"
        "The last column counts every patch that misses the threshold, whatever else it misses.\n"
        f"`thresholds/` shows what each drops.\n\n{table}"
    )


def _describe_residuals(summary: SetSummary) -> str:
    rows = (
        (f"{100 * quantile.share:g} %", format_number(quantile.px), format_number(quantile.um))
        for quantile in summary.residuals
    )
    table = _table(("of the patches", "at most (px)", "at most (µm)"), rows)
    return (
        "The residual is estimated from the pictures, and from how sure the alignment is there.\n\n"
        f"{table}"
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(text: str) -> str:
    """Return text as it may stand in a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")

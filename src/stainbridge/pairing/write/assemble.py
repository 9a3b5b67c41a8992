"""Finish a paired data set: all that it holds beside the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stainbridge.errors import InputError
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.write.card import CARD, format_card
from stainbridge.pairing.write.columns import name_picture
from stainbridge.pairing.write.digest import write_digests
from stainbridge.pairing.write.manifest import PARQUET, has_parquet, write_patches
from stainbridge.pairing.write.shards import check_samples, write_shards
from stainbridge.pairing.write.sheet import SHEET, write_sheet
from stainbridge.pairing.write.summary import SetSummary, SkippedPair, summarise
from stainbridge.pairing.write.threshold_pictures import write_threshold_pictures
from stainbridge.partial import remove_abandoned
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.slides.patch_manifest import FIXED_FOLDER, MANIFEST, MOVING_FOLDER
from stainbridge.whole import whole_file

#: The folder of what is kept of each slide pair, and that of its thumbnails in it.
PAIRS = "slides"
THUMBS = "thumbs"


@dataclass(frozen=True)
class AssembledSet:
    """What was assembled."""

    summary: SetSummary
    """The counts of the set."""
    md5: str
    """The MD5 of the set."""


def assemble_set(
    out: Path,
    patches: Sequence[Patch],
    config: PairingConfig,
    *,
    skipped: Sequence[SkippedPair] = (),
    shard_samples: int | None = None,
    progress: Progress = ignore_progress,
    note: Note = ignore_note,
) -> AssembledSet:
    """Write manifest, pictures of thresholds, contact sheet, shards, digests and card into `out`.

    `out` holds the pictures of every kept patch, and thumbnails in `slides/PAIR/thumbs`. `patches`
    are all that were cut, dropped ones too, in any order. `shard_samples` are the samples of a
    shard; None: no shards. Every file appears whole, the card last, and the same set gives the same
    bytes, so that an interrupted call may be repeated. Raises `InputError` for a picture that is
    missing or that no patch names, and for shards of less than one sample.
    """
    if shard_samples is not None:
        check_samples(shard_samples)
    ordered = sorted(patches, key=lambda patch: (patch.pair, patch.y_px, patch.x_px, patch.name))
    pictures = [
        name_picture(patch, folder)
        for patch in ordered
        if patch.is_kept
        for folder in (FIXED_FOLDER, MOVING_FOLDER)
    ]
    remove_abandoned(out, deep=True)
    check_pictures(out, pictures)
    summary = summarise(ordered, config.thresholds)
    thumbs = {patch.name: name_thumb(out, patch) for patch in ordered}
    progress("manifest", 0.0)
    _write_manifest(out, ordered, note)
    progress("contact sheet", 0.2)
    write_threshold_pictures(out, ordered, config.thresholds, thumbs)
    write_sheet(out / SHEET, summary, ordered, config, skipped, thumbs)
    if shard_samples is not None:
        progress("shards", 0.4)
        write_shards(out, ordered, shard_samples)
    progress("digests", 0.8)
    md5 = write_digests(out, pictures)
    with whole_file(out / CARD) as temporary:
        card = format_card(summary, ordered, config, skipped, md5)
        temporary.write_text(card, encoding="utf-8")
    progress("card", 1.0)
    return AssembledSet(summary, md5)


def name_thumb(out: Path, patch: Patch) -> Path:
    """Return the file of a patch's thumbnail."""
    return out / PAIRS / patch.pair / THUMBS / f"{patch.name}.jpg"


def check_pictures(out: Path, expected: Sequence[str]) -> None:
    """Raise `InputError` unless the pictures in `out` are those expected, by their names in it."""
    present = {
        path.relative_to(out).as_posix()
        for folder in (FIXED_FOLDER, MOVING_FOLDER)
        for path in (out / folder).glob("*/*.png")
    }
    if missing := sorted(set(expected) - present):
        raise InputError(
            "a picture of the set is missing",
            where=out / missing[0],
            remedy="remove its slide pair's folder in `slides` and run again",
        )
    if strange := sorted(present - set(expected)):
        raise InputError(
            "a picture that no patch of the set names",
            where=out / strange[0],
            remedy="remove it, or choose another folder",
        )


def _write_manifest(out: Path, patches: Sequence[Patch], note: Note) -> None:
    write_patches(out / MANIFEST, patches)
    parquet = (out / MANIFEST).with_suffix(PARQUET)
    if has_parquet():
        write_patches(parquet, patches)
        return
    parquet.unlink(missing_ok=True)
    note(
        "manifest.parquet was left out: it needs the package 'pyarrow'; "
        "install it with: pip install 'stainbridge[pairs]'"
    )

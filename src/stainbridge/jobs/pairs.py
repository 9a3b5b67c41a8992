"""Cut the patches of one slide pair: align both slides, measure every patch, keep the good ones."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from stainbridge.errors import InputError, MissingExtraError, RegistrationError
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.geometry.transform import Transform
    from stainbridge.pairing.alignment import Alignment
    from stainbridge.pairing.config import PairingConfig
    from stainbridge.pairing.patch import Patch
    from stainbridge.pairing.source import SlidePair
    from stainbridge.registration.sections.density import Masks
    from stainbridge.slides.slide import Slide

#: The record of a pair, which is written last, and the table of its patches.
PAIR_RECORD = "pair.json"
PATCHES = "patches.csv"
#: Fraction of the progress when the slides are aligned.
ALIGNED = 0.5


@dataclass(frozen=True)
class PairsOutcome:
    """What became of a slide pair."""

    id: str
    """The pair's id."""
    status: str
    """Verdict of the alignment: `ok`, `fallback` or `failed`."""
    reason: str
    """Why, in words; for a failed pair, why it was skipped."""
    patches: int
    """Patches that were measured."""
    kept: int
    """Patches that are in the set."""
    is_already_done: bool = False
    """Whether all of it was there already, of the same slides and settings."""


@dataclass(frozen=True, kw_only=True)
class PairsJob:
    """The patches of one slide pair as one request.

    Kept pictures go to `out/HE/SPLIT` and `out/IHC/SPLIT`; the record of the pair, its patches and
    thumbnails to `out/slides/ID`. The record appears last: an interrupted job is run again and
    gives the same bytes.
    """

    pair: SlidePair
    """The two slides, and what is known of them."""
    out: Path
    """The folder of the set."""
    config: PairingConfig
    """Resolution, engine and thresholds."""
    threads: Annotated[int, Within(1, 1024)] = 1
    """CPU threads that patches are read and written on."""

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def folder(self) -> Path:
        """Where the record of the pair is."""
        from stainbridge.pairing.write.assemble import PAIRS

        return self.out / PAIRS / self.pair.id

    def run(self, progress: Progress = ignore_progress, note: Note = ignore_note) -> PairsOutcome:
        """Cut the patches and return what became of the pair.

        A pair that cannot be aligned or read is an outcome too: its status is `failed`. Raises
        `InputError` where files cannot be written, and for a missing extra.
        """
        done = self.read_done()
        if done is not None:
            return done
        self.remove_outputs()
        try:
            self.folder.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"cannot write there: {error.strerror}", where=self.out) from error
        try:
            record, patches = self._cut(progress, note)
        except RegistrationError as error:
            self._remove_pictures()
            record = {"status": "failed", "reason": str(error), "registration": None}
            patches = []
        self._write(record, patches)
        kept = sum(patch.is_kept for patch in patches)
        return PairsOutcome(self.pair.id, record["status"], record["reason"], len(patches), kept)

    def read_done(self) -> PairsOutcome | None:
        """Return the outcome that is there already; None where any of it is missing or changed."""
        try:
            record = json.loads((self.folder / PAIR_RECORD).read_text(encoding="utf-8"))
            if record["key"] != self._make_key():
                return None
            patches = self.read_patches()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not all(path.is_file() for path in self._list_pictures(patches)):
            return None
        kept = sum(patch.is_kept for patch in patches)
        return PairsOutcome(
            self.pair.id, record["status"], record["reason"], len(patches), kept, True
        )

    def read_patches(self) -> list[Patch]:
        """Return the patches of a finished job, in their order."""
        from stainbridge.pairing.write.manifest import read_patches

        return read_patches(self.folder / PATCHES)

    def remove_outputs(self) -> None:
        """Remove what an earlier or interrupted run left of this pair."""
        (self.folder / PAIR_RECORD).unlink(missing_ok=True)
        self._remove_pictures()
        if self.folder.is_dir():
            shutil.rmtree(self.folder)

    def _cut(self, progress: Progress, note: Note) -> tuple[dict[str, Any], list[Patch]]:
        """Return the record of the alignment and all patches, whose pictures are written.

        Raises `RegistrationError` for slides that cannot be used.
        """
        from stainbridge.pairing.cut import PatchCutter, cut_patches
        from stainbridge.pairing.plan import plan_patches

        with ExitStack() as stack:
            try:
                fixed, moving = self._open_slides(stack, note)
                masks = self._read_masks(fixed, moving)
                places = plan_patches(fixed, self.config, masks[0])
                if not places:
                    raise RegistrationError("no patch of the fixed slide holds enough tissue")
                alignment = self._align(fixed, moving, masks, progress, note)
                if alignment.transform is None:
                    raise RegistrationError(alignment.reason)
                cutter = PatchCutter.open(
                    self.pair,
                    fixed,
                    moving,
                    alignment.transform,
                    alignment.status,
                    self.config,
                    masks,
                    alignment.error,
                )
            except MissingExtraError:
                raise
            except InputError as error:
                raise RegistrationError(str(error)) from error

            def report(stage: str, fraction: float) -> None:
                progress(stage, ALIGNED + (1 - ALIGNED) * fraction)

            patches = cut_patches(cutter, places, self.out, self.threads, report)
        return _describe(alignment), patches

    def _open_slides(self, stack: ExitStack, note: Note) -> tuple[Slide, Slide]:
        from stainbridge.slides.open import open_slide

        pair = self.pair
        fixed = stack.enter_context(open_slide(pair.fixed, mpp=pair.fixed_mpp))
        moving = stack.enter_context(open_slide(pair.moving, mpp=pair.moving_mpp))
        for path, slide in ((pair.fixed, fixed), (pair.moving, moving)):
            for warning in slide.info.warnings:
                note(f"warning: {path}: {warning}")
        return fixed, moving

    def _read_masks(self, fixed: Slide, moving: Slide) -> Masks:
        from stainbridge.jobs.files.inputs import read_mask

        pair = self.pair
        return (
            read_mask(pair.fixed_mask, fixed.frame) if pair.fixed_mask else None,
            read_mask(pair.moving_mask, moving.frame) if pair.moving_mask else None,
        )

    def _align(
        self, fixed: Slide, moving: Slide, masks: Masks, progress: Progress, note: Note
    ) -> Alignment:
        """Return the alignment that the pair names, or else that of the engine."""
        from stainbridge.pairing.engines.table import find_engine

        if self.pair.transform is not None:
            return _read_alignment(self.pair.transform, fixed, moving)

        def report(stage: str, fraction: float) -> None:
            progress(f"aligning {self.pair.id}: {stage}", ALIGNED * fraction)

        return find_engine(self.config.engine)(
            fixed,
            moving,
            self.config,
            initial=self._initial_transform(fixed, moving, note),
            masks=masks,
            progress=report,
        )

    def _initial_transform(self, fixed: Slide, moving: Slide, note: Note) -> Transform | None:
        """Return the homography of the points picked by hand, where there are any."""
        from stainbridge.jobs.files.initial_transform import read_initial_transform

        pair = self.pair
        if pair.fixed_landmarks is None or pair.moving_landmarks is None:
            return None
        return read_initial_transform(
            pair.fixed_landmarks,
            pair.moving_landmarks,
            fixed.frame,
            moving.frame,
            note,
            fixed_offset_px=fixed.info.bounds_px,
            moving_offset_px=moving.info.bounds_px,
        )

    def _write(self, record: dict[str, Any], patches: list[Patch]) -> None:
        """Write the table and then the record, which says that the pair is done."""
        from stainbridge.json_values import format_json
        from stainbridge.pairing.write.manifest import write_patches
        from stainbridge.whole import whole_file

        write_patches(self.folder / PATCHES, patches)
        whole = {"key": self._make_key(), "id": self.pair.id, **record}
        with whole_file(self.folder / PAIR_RECORD) as temporary:
            temporary.write_text(format_json(whole) + "\n", encoding="utf-8")

    def _make_key(self) -> str:
        """Return a hash of all that the patches depend on: slides, settings, version."""
        from stainbridge.fingerprint import fingerprint
        from stainbridge.json_values import format_json

        facts = {
            "version": version("stainbridge"),
            "pair": describe_pair(self.pair),
            "config": asdict(self.config),
            "files": {role: fingerprint(path) for role, path in list_files(self.pair).items()},
        }
        return hashlib.sha256(format_json(facts).encode()).hexdigest()

    def _list_pictures(self, patches: list[Patch]) -> list[Path]:
        from stainbridge.pairing.write.columns import name_picture
        from stainbridge.slides.patch_manifest import FIXED_FOLDER, MOVING_FOLDER

        return [
            self.out / name_picture(patch, folder)
            for patch in patches
            if patch.is_kept
            for folder in (FIXED_FOLDER, MOVING_FOLDER)
        ]

    def _remove_pictures(self) -> None:
        """Remove all pictures of this pair, those of an interrupted run too."""
        from stainbridge.slides.patch_manifest import FIXED_FOLDER, MOVING_FOLDER

        label = f"_{self.pair.label}" if self.pair.label else ""
        own = re.compile(rf"{re.escape(self.pair.id)}_\d+_\d+{re.escape(label)}\.png")
        for folder in (FIXED_FOLDER, MOVING_FOLDER):
            for path in (self.out / folder / self.pair.split).glob(f"{self.pair.id}_*.png"):
                if own.fullmatch(path.name):
                    path.unlink()


def describe_pair(pair: SlidePair) -> dict[str, Any]:
    """Return the fields of a pair as JSON values; paths as they are given, with forward slashes."""
    return {
        name: value.as_posix() if isinstance(value, Path) else value
        for name, value in asdict(pair).items()
    }


def list_files(pair: SlidePair) -> dict[str, Path]:
    """Return the files that a pair's patches depend on, by their role."""
    from stainbridge.pairing.manifest import FILES

    files = {role: getattr(pair, role) for role in FILES}
    if pair.transform is not None and pair.transform.is_dir():
        files["transform"] = pair.transform / "transform.h5"
        files["record"] = pair.transform / "registration.json"
    return {role: path for role, path in files.items() if path is not None and path.exists()}


def _read_alignment(path: Path, fixed: Slide, moving: Slide) -> Alignment:
    """Return the alignment in a folder of `register`, or in its transform file."""
    from stainbridge.geometry.files import read_transform
    from stainbridge.pairing.alignment import Alignment
    from stainbridge.registration.store import load_stored

    spaces = fixed.frame.space, moving.frame.space
    if not path.is_dir():
        return Alignment(read_transform(path, *spaces), "ok", "the transform was given")
    stored = load_stored(path).registration
    if stored.status == "failed":
        return Alignment(None, "failed", stored.reason, stored)
    transform = read_transform(path / "transform.h5", *spaces)
    return Alignment(transform, stored.status, stored.reason, stored)


def _describe(alignment: Alignment) -> dict[str, Any]:
    """Return the record of an alignment, without anything that differs from run to run."""
    from stainbridge.json_values import to_json_values

    registration = alignment.registration
    described = None
    if registration is not None:
        described = {
            "status": registration.status,
            "reason": registration.reason,
            "predicted_rtre": registration.predicted_rtre,
            "bound_rtre": registration.bound_rtre,
            "stages": [
                {name: value for name, value in asdict(stage).items() if name != "seconds"}
                for stage in registration.stages
            ],
        }
    return {
        "status": alignment.status,
        "reason": alignment.reason,
        "registration": to_json_values(described),
    }

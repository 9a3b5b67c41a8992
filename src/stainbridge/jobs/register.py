"""Register two slides: a folder with the transform, its record and a report."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from stainbridge.compute import DeviceChoice, choose_device
from stainbridge.errors import InputError
from stainbridge.jobs.files.claim import claim_folder
from stainbridge.jobs.files.input_stamps import stamp_files
from stainbridge.jobs.files.outputs import (
    RESULT_FILES,
    RESULT_PIECES,
    Inputs,
    check_output_folder,
)
from stainbridge.jobs.files.result_folder import check_result_folder, publish_together
from stainbridge.jobs.files.training_steps import note_few_steps
from stainbridge.jobs.register_options import register_config
from stainbridge.jobs.register_outcome import (
    REPORT,
    REQUEST,
    WARPED,
    RegisterOutcome,
    find_outcome,
)
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import PixelSize, Seed, Within, check_ranges

if TYPE_CHECKING:
    from stainbridge.geometry.transform import Transform
    from stainbridge.joint.synthesis import TranslatedPair
    from stainbridge.registration.config import RegisterConfig
    from stainbridge.registration.result import Registration
    from stainbridge.slides.slide import Slide
    from stainbridge.translation.inference.model import Model

RegisterPresetChoice: TypeAlias = Literal["fast", "default", "accurate"]
SideChoice: TypeAlias = Literal["fixed", "moving"]
TransformChoice: TypeAlias = Literal["rigid", "affine", "deformable"]
#: The entry of the record that says what translated which slide.
TRANSLATION = "translation"


@dataclass(frozen=True, kw_only=True)
class RegisterJob:
    """The registration of two slides as one request.

    Paths are used as they are given. The record and the transform appear in `out` together, as soon
    as the slides are registered; report and warped slide follow. A job that is interrupted before
    leaves nothing. One that is interrupted after writes what is missing when it is run again.
    """

    fixed: Path
    """The slide that stays in place."""
    moving: Path
    """The slide that is aligned to the fixed one."""
    out: Path
    """The folder for the result; its parents are made."""
    preset: RegisterPresetChoice | None = None
    """How much work to do; None is "default"."""
    pipeline: Path | None = None
    """A YAML file of a configuration instead of a preset."""
    device: DeviceChoice | None = None
    """Where to compute; None leaves it to the configuration."""
    threads: Annotated[int | None, Within(1, 1024)] = None
    """CPU threads; None is all cores."""
    seed: Seed | None = None
    """Seed of every random choice; None leaves it to the configuration."""
    init: Path | None = None
    """A fixed-to-moving transform file to start from instead of a search."""
    fixed_landmarks: Path | None = None
    """Points on the fixed slide, to start from point pairs instead of a search."""
    moving_landmarks: Path | None = None
    """The same points on the moving slide."""
    fixed_mask: Path | None = None
    """A picture of the fixed slide that is not 0 where tissue may be used."""
    moving_mask: Path | None = None
    """A picture of the moving slide that is not 0 where tissue may be used."""
    allow_flip: bool = True
    """Whether one section may be mirrored; False overrides the configuration."""
    transform: TransformChoice | None = None
    """What the transform may do; None leaves it to the configuration."""
    max_rotation_deg: Annotated[float | None, Within(0, 180)] = None
    """Largest rotation to search, in degrees; None leaves it to the configuration."""
    affine_weights: str | None = None
    """A trained affine network: a file, a run or a name."""
    deformable_weights: str | None = None
    """A trained deformable network: a file, a run or a name."""
    sbr: str | None = None
    """A run of train sbr, or a file of its weights."""
    sar: str | None = None
    """A run of train sar, or a file of its weights."""
    tune: Annotated[int | None, Within(10, 30)] = None
    """Most iterations that SAR's last layer is tuned to the pair, 10 to 30; None: none."""
    translator: str | None = None
    """A trained translation, through which one slide is seen: a file, a run or a name."""
    translate: SideChoice | None = None
    """The slide that is translated; None: by the slides' stains, or else the fixed one."""
    reverse_translator: bool = False
    """Translate from the model's target stain to its source."""
    tiles_px: Annotated[int | None, Within(1, 1_000_000)] = None
    """Finally refine in tiles, at this many pixels along the longer side."""
    fixed_mpp: PixelSize | None = None
    """µm per pixel of the fixed slide, where its file is wrong."""
    moving_mpp: PixelSize | None = None
    """µm per pixel of the moving slide, where its file is wrong."""
    write_slide: bool = False
    """Whether to write the warped moving slide too."""
    report: bool = True
    """Whether to write the quality report."""
    reproducible: bool = False
    """Record no durations, so that the same inputs and settings give the same bytes."""
    overwrite: bool = False
    """Replace an earlier result in `out`; other files in it stay."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self, progress: Progress = ignore_progress, note: Note = ignore_note
    ) -> RegisterOutcome:
        """Register the slides and return what was written.

        A registration that failed is an outcome too: see its `status`. When `out` already holds
        the result of the same inputs and settings, that is returned. Raises `InputError` for bad
        input and leaves nothing then. What goes wrong after the registration costs the report or
        the warped slide alone.
        """
        from stainbridge.registration.store import load

        inputs = self._inputs()
        check_output_folder(self.out, inputs, (*RESULT_FILES, RESULT_PIECES))
        config = self.make_config()
        self._check_start()
        note_few_steps(self._networks(config), note)
        model = self._read_translator()
        request = self._request(config, model)
        earlier = None if self.overwrite else find_outcome(self.out, request, config)
        if earlier is not None and self._lacks_nothing(earlier):
            note(f"already done: {self.out}; add --overwrite to register again")
            return replace(earlier, is_already_done=True)
        check = partial(
            check_result_folder,
            self.out,
            inputs=inputs,
            overwrite=self.overwrite,
            folders=(RESULT_PIECES,),
        )
        if earlier is None:
            check()
        with ExitStack() as stack:
            fixed, moving = self._open_slides(stack, note)
            self._check_writable(moving)
            pair = self._translate(model, fixed, moving, config, progress, note)
            start = self._read_start(fixed, moving, note)
            stack.enter_context(claim_folder(self.out))
            if earlier is not None:
                note(f"already registered: {self.out}; writing what is missing")
                registration = load(self.out)
            else:
                check()
                registration = self._register(fixed, moving, pair, config, start, progress)
                self._save(registration, fixed, moving, pair, request)
            try:
                self._write_pages(registration, fixed, moving, pair, progress)
            except BaseException:
                note(
                    f"saved: the registration itself, in {self.out};"
                    " the same command writes what is missing"
                )
                raise
        return RegisterOutcome.read(self.out)

    def _check_writable(self, moving: Slide) -> None:
        """Raise `InputError` for a moving slide that could be warped but not be written."""
        if not self.write_slide:
            return
        from stainbridge.slides.writing.write import choose_codec

        try:
            choose_codec(moving.info)
        except InputError as error:
            raise error.within(self.moving) from error

    def _read_start(self, fixed: Slide, moving: Slide, note: Note) -> dict[str, Any]:
        """Return what is known before the search, as arguments of `register_slides`."""
        from stainbridge.jobs.files.inputs import read_mask

        return {
            "initial_transform": self._initial_transform(fixed, moving, note),
            "fixed_mask": read_mask(self.fixed_mask, fixed.frame) if self.fixed_mask else None,
            "moving_mask": read_mask(self.moving_mask, moving.frame) if self.moving_mask else None,
        }

    def _register(
        self,
        fixed: Slide,
        moving: Slide,
        pair: TranslatedPair | None,
        config: RegisterConfig,
        start: dict[str, Any],
        progress: Progress,
    ) -> Registration:
        """Register opened slides.

        Where there is a translated pair, it is what the stages see; everything else is of the
        slides themselves.
        """
        from stainbridge.registration.pipeline import register_slides

        registration = register_slides(
            pair.fixed if pair else fixed,
            pair.moving if pair else moving,
            config,
            progress=progress,
            **start,
        )
        return _forget_durations(registration) if self.reproducible else registration

    def _save(
        self,
        registration: Registration,
        fixed: Slide,
        moving: Slide,
        pair: TranslatedPair | None,
        request: dict[str, Any],
    ) -> None:
        """Save the record and the transform; an earlier result goes."""
        translation = {TRANSLATION: pair.describe()} if pair else {}
        with publish_together(self.out, folders=(RESULT_PIECES,)) as folder:
            registration.save(folder, fixed, moving, extra={REQUEST: request, **translation})

    def _write_pages(
        self,
        registration: Registration,
        fixed: Slide,
        moving: Slide,
        pair: TranslatedPair | None,
        progress: Progress,
    ) -> None:
        """Write the report and the warped slide where they are asked for and missing."""
        from stainbridge.report.write import write_report

        if self.report and not (self.out / REPORT).is_file():
            progress("report", 0.0)
            translated = pair.translated if pair else None
            write_report(self.out / REPORT, registration, fixed, moving, translated)
        is_warpable = self.write_slide and registration.status != "failed"
        if is_warpable and not (self.out / WARPED).is_file():
            self._write_warped(self.out / WARPED, registration, moving, progress)

    def _open_slides(self, stack: ExitStack, note: Note) -> tuple[Slide, Slide]:
        from stainbridge.slides.open import open_slide

        fixed = stack.enter_context(open_slide(self.fixed, mpp=self.fixed_mpp))
        moving = stack.enter_context(open_slide(self.moving, mpp=self.moving_mpp))
        for path, slide in ((self.fixed, fixed), (self.moving, moving)):
            for warning in slide.info.warnings:
                note(f"warning: {path}: {warning}")
        return fixed, moving

    def _networks(self, config: RegisterConfig) -> list[str | None]:
        """Return all weights that take part, those of a pipeline file included."""
        stages = [getattr(stage, "weights", None) for stage in config.stages]
        return [self.translator, *stages]

    def _read_translator(self) -> Model | None:
        """Return the translation; raises `InputError` where it cannot be had."""
        if self.translator is None:
            return None
        from stainbridge.learn.named_weights import find_weights
        from stainbridge.translation.inference.model import read_model

        model = read_model(find_weights(self.translator))
        return model.reverse() if self.reverse_translator else model

    def _translate(
        self,
        model: Model | None,
        fixed: Slide,
        moving: Slide,
        config: RegisterConfig,
        progress: Progress,
        note: Note,
    ) -> TranslatedPair | None:
        """Return the slides with one translated; raises `InputError` where it cannot be."""
        if model is None:
            return None
        from stainbridge.joint.synthesis import choose_apply_config, translate_pair

        progress("looking at the slide to translate", 0.0)
        applied = choose_apply_config(model, choose_device(config.device), config.seed)
        pair = translate_pair(fixed, moving, model, self.translate, applied, note)
        note(f"note: the {pair.side} slide is seen as {pair.model.target}")
        return pair

    def _initial_transform(self, fixed: Slide, moving: Slide, note: Note) -> Transform | None:
        """Return the transform to start from, when one is given."""
        from stainbridge.geometry.files import read_transform
        from stainbridge.jobs.files.inputs import transform_from_landmarks

        if self.init is not None:
            return read_transform(self.init, fixed.frame.space, moving.frame.space)
        if self.fixed_landmarks is not None and self.moving_landmarks is not None:
            return transform_from_landmarks(
                self.fixed_landmarks, self.moving_landmarks, fixed, moving, note
            )
        return None

    def _check_start(self) -> None:
        if (self.fixed_landmarks is None) != (self.moving_landmarks is None):
            raise InputError(
                "landmarks are needed on both slides",
                remedy="give --fixed-landmarks and --moving-landmarks",
            )
        if self.init is not None and self.fixed_landmarks is not None:
            raise InputError("--init and landmarks exclude each other", remedy="leave one out")
        if self.tune is not None and self.sar is None:
            raise InputError("--tune needs a network to tune", remedy="give --sar RUN too")
        if self.translator is None and (self.translate or self.reverse_translator):
            option = "--translate" if self.translate else "--reverse-translator"
            raise InputError(f"{option} needs a translation", remedy="give --translator RUN too")

    def _write_warped(
        self, path: Path, registration: Registration, moving: Slide, progress: Progress
    ) -> None:
        from stainbridge.slides.writing.write import write_slide

        write_slide(
            registration.warp_slide(moving),
            path,
            threads=self.threads,
            progress=lambda done, total: progress("writing the warped slide", done / total),
        )

    def make_config(self) -> RegisterConfig:
        """Return the configuration; raise `InputError` for settings that cannot be used."""
        return register_config(
            preset=self.preset,
            pipeline=self.pipeline,
            device=self.device,
            threads=self.threads,
            seed=self.seed,
            allow_flip=self.allow_flip,
            max_rotation_deg=self.max_rotation_deg,
            affine_weights=self.affine_weights,
            deformable_weights=self.deformable_weights,
            sbr=self.sbr,
            sar=self.sar,
            tune=self.tune,
            tiles_px=self.tiles_px,
            transform=self.transform,
        )

    def _files(self) -> dict[str, Path | None]:
        """Return the files that the result depends on, by their role."""
        return {
            "fixed": self.fixed,
            "moving": self.moving,
            "init": self.init,
            "fixed_landmarks": self.fixed_landmarks,
            "moving_landmarks": self.moving_landmarks,
            "fixed_mask": self.fixed_mask,
            "moving_mask": self.moving_mask,
        }

    def _inputs(self) -> Inputs:
        names = (self.affine_weights, self.deformable_weights, self.sbr, self.sar)
        networks = tuple(Path(name) for name in names if name)
        translator = (Path(self.translator),) if self.translator else ()
        files = (*self._files().values(), self.pipeline, *networks)
        return Inputs(files=files, runs=(*networks, *translator))

    def _request(self, config: RegisterConfig, translator: Model | None) -> dict[str, Any]:
        """Return what the result depends on beside the configuration, as JSON values.

        Slides are told by their stamps, weights by what is in them, whatever names them.
        """
        weights = {name: _digest_weights(name) for name in self._networks(config) if name}
        if translator is not None and self.translator is not None:
            weights[self.translator] = _digest_weights(str(translator.path))
        return {
            "files": stamp_files(self._files()),
            "weights": weights,
            "translate": self.translate,
            "reverse_translator": self.reverse_translator,
            "fixed_mpp": self.fixed_mpp,
            "moving_mpp": self.moving_mpp,
            "report": self.report,
            "write_slide": self.write_slide,
        }

    def _lacks_nothing(self, outcome: RegisterOutcome) -> bool:
        """Return whether the report and the warped slide are there where they are asked for."""
        names = {path.name for path in outcome.written}
        return (not self.report or REPORT in names) and (
            not self.write_slide or outcome.status == "failed" or WARPED in names
        )


def _forget_durations(registration: Registration) -> Registration:
    """Return the registration without how long it and its stages took."""
    stages = tuple(replace(stage, seconds=math.nan) for stage in registration.stages)
    return replace(registration, seconds=math.nan, stages=stages)


def _digest_weights(name: str) -> str:
    from stainbridge.learn.digest import digest_weights
    from stainbridge.learn.named_weights import find_weights

    return digest_weights(find_weights(name))

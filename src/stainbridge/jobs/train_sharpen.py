"""Train the network that sharpens slides."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from stainbridge.jobs.training.squares import open_squares
from stainbridge.jobs.training.train_job import TrainJob
from stainbridge.progress import Note
from stainbridge.ranges import PixelSize, check_ranges

if TYPE_CHECKING:
    from stainbridge.learn.loop import TrainingData
    from stainbridge.learn.task import Task
    from stainbridge.translation.sharpening.config import SharpenTraining

SharpenFactor: TypeAlias = Literal["2", "4"]
#: Channels of the first block of VGG-16 as published, which its trained weights need.
VGG16_WIDTH = 64


@dataclass(frozen=True, kw_only=True)
class TrainSharpenJob(TrainJob["SharpenTraining"]):
    """Train ESRGAN to restore tiles from down-sampled ones.

    `data` is a slide, or a folder of slides or tiles.
    """

    command: ClassVar[str] = "train sharpen"

    factor: SharpenFactor | None = None
    """Pixels along a side that are made of one; None is "2"."""
    mpp: PixelSize | None = None
    """Pixel size to learn to make, in µm; None is the slides' own."""
    perceptual: Path | None = None
    """Weights of VGG-16; without them the perceptual loss has a seeded network."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def _settings_type(self) -> type[SharpenTraining]:
        from stainbridge.translation.sharpening.config import SharpenTraining

        return SharpenTraining

    def _make_preset(self) -> SharpenTraining:
        settings = self._settings_type().preset(self.preset or "small", int(self.factor or 2))
        if self.mpp is not None:
            sharpen = replace(settings.sharpen, mpp=self.mpp)
            settings = replace(settings, sharpen=sharpen, mpp_range=(self.mpp, self.mpp))
        if self.perceptual is not None:
            network = replace(
                settings.sharpen.perceptual,
                weights=str(self.perceptual.resolve()),
                width=VGG16_WIDTH,
            )
            settings = replace(settings, sharpen=replace(settings.sharpen, perceptual=network))
        return settings

    def _open_data(
        self, settings: SharpenTraining, data: str, note: Note
    ) -> AbstractContextManager[TrainingData]:
        from stainbridge.translation.sharpening.task import SharpenTask

        squares = open_squares(data, settings, note)
        note(f"perceptual network: {SharpenTask(settings.sharpen).perceptual.name}")
        return nullcontext(squares)

    def _make_task(
        self,
        settings: SharpenTraining,
        samples: TrainingData,  # noqa: ARG002  # networks depend on settings alone
    ) -> Task[Any]:
        from stainbridge.translation.sharpening.task import SharpenTask

        return SharpenTask(settings.sharpen)

    def _fit_to_steps(self, settings: SharpenTraining) -> SharpenTraining:
        return settings if self.steps is None else settings.fit_to_steps(self.steps)

    def _own_options(self) -> Mapping[str, Any]:
        return {"factor": self.factor, "mpp": self.mpp, "perceptual": self.perceptual}

    def _defaults(self) -> dict[str, Any]:
        return {**super()._defaults(), "factor": "2"}

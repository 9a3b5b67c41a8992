"""Train segmentation-augmented registration."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stainbridge.errors import InputError
from stainbridge.jobs.files.outputs import Inputs
from stainbridge.jobs.train_deformable import DeformableNetwork
from stainbridge.jobs.training.masked_pictures import open_masked_pictures
from stainbridge.jobs.training.train_job import TrainJob
from stainbridge.progress import Note

if TYPE_CHECKING:
    from stainbridge.joint.sar.config import SarTraining
    from stainbridge.learn.loop import TrainingData
    from stainbridge.learn.task import Task


@dataclass(frozen=True, kw_only=True)
class TrainSarJob(TrainJob["SarTraining"]):
    """Train a generator that registers pictures of one kind and outlines what they show.

    `data` is a folder with `images`, and `masks` or `labels` of the same file names.
    """

    command: ClassVar[str] = "train sar"

    network: DeformableNetwork | None = None
    """Another network to train on the same pairs, without adversary; None: SAR's own."""
    segmentation: bool = True
    """Whether masks are read and take part."""
    split: Path | None = None
    """A table of names and parts: "train" is trained on, "validation" measured on."""
    perceptual_weights: Path | None = None
    """Weights of VGG-16; without them a seeded, untrained network stands in."""

    def _settings_type(self) -> type[SarTraining]:
        from stainbridge.joint.sar.config import SarTraining

        return SarTraining

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network is not None and self.perceptual_weights is not None:
            raise InputError(
                "only SAR's own network is trained with a perceptual distance",
                where="--perceptual-weights",
                got=f"--network {self.network}",
                remedy="leave one of them out",
            )

    def _make_preset(self) -> SarTraining:
        preset = self.preset or "small"
        settings = self._settings_type().preset(preset)
        if self.network is not None:
            settings = settings.with_comparator(preset, self.network)
        if not self.segmentation:
            settings = settings.without_segmentation()
        if self.split is not None:
            settings = replace(settings, split=str(self.split.resolve()))
        if self.perceptual_weights is not None:
            weights = str(self.perceptual_weights.resolve())
            settings = replace(settings, loss=settings.loss.with_perceptual_weights(weights))
        return settings

    def _open_data(
        self, settings: SarTraining, data: str, note: Note
    ) -> AbstractContextManager[TrainingData]:
        from stainbridge.nn.perceptual import SEEDED, PerceptualNet

        perceptual = settings.loss.perceptual if settings.loss.perceptual_weight else None
        name = None if perceptual is None else PerceptualNet(perceptual).name
        samples = open_masked_pictures(data, settings, note)
        if name is not None:
            remark = " (no --perceptual-weights were given)" if name == SEEDED else ""
            note(f"perceptual network: {name}{remark}")
        return nullcontext(samples)

    def _make_task(
        self,
        settings: SarTraining,
        samples: TrainingData,  # noqa: ARG002  # the networks fit any pictures
    ) -> Task[Any]:
        if settings.comparator is not None:
            from stainbridge.joint.sar.comparator_task import ComparatorTask

            return ComparatorTask(settings.comparator, settings.pairs.size_px)
        from stainbridge.joint.sar.task import SarTask

        return SarTask(settings)

    def _inputs(self) -> Inputs:
        inputs = super()._inputs()
        return replace(inputs, files=(*inputs.files, self.split, self.perceptual_weights))

    def _own_options(self) -> Mapping[str, Any]:
        return {
            "network": self.network,
            "no-segmentation": None if self.segmentation else True,
            "split": self.split,
            "perceptual-weights": self.perceptual_weights,
        }

"""From a configuration to its task."""

from __future__ import annotations

from stainbridge.translation.objectives.config import (
    ContrastConfig,
    CycleConfig,
    PairedConfig,
    TranslationConfig,
)
from stainbridge.translation.objectives.contrast_task import ContrastTask
from stainbridge.translation.objectives.cycle_task import CycleTask
from stainbridge.translation.objectives.paired_task import PairedTask
from stainbridge.translation.objectives.task import TranslationTask


def task_of(config: TranslationConfig) -> TranslationTask:
    """The untrained task of a configuration, networks drawn from torch's random state."""
    match config.objective:
        case CycleConfig():
            return CycleTask(config, config.objective)
        case PairedConfig():
            return PairedTask(config, config.objective)
        case ContrastConfig():
            return ContrastTask(config, config.objective)

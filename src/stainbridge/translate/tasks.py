"""From a configuration to its task."""

from __future__ import annotations

from stainbridge.translate.config import ContrastConfig, CycleConfig, PairedConfig, TranslationConfig
from stainbridge.translate.contrast_task import ContrastTask
from stainbridge.translate.cycle_task import CycleTask
from stainbridge.translate.paired_task import PairedTask
from stainbridge.translate.task import TranslationTask


def task_of(config: TranslationConfig) -> TranslationTask:
    """The untrained task of a configuration, networks drawn from torch's random state."""
    match config.objective:
        case CycleConfig():
            return CycleTask(config, config.objective)
        case PairedConfig():
            return PairedTask(config, config.objective)
        case ContrastConfig():
            return ContrastTask(config, config.objective)

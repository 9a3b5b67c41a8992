"""The published objectives by name. A new one is a module and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.translation.objectives.config import (
        TranslationConfig,
        TranslationObjectiveConfig,
    )
    from stainbridge.translation.objectives.published import PublishedObjective
    from stainbridge.translation.objectives.task import TranslationTask

#: Each objective's name, and the module whose `OBJECTIVE` it is. Modules, so that a command can
#: list its choices without importing torch.
OBJECTIVES: dict[str, str] = {
    "cyclegan": "stainbridge.translation.objectives.cyclegan",
    "cyclegan-perceptual": "stainbridge.translation.objectives.cyclegan_perceptual",
    "pix2pix": "stainbridge.translation.objectives.pix2pix",
    "pix2pix-unet": "stainbridge.translation.objectives.pix2pix_unet",
    "pix2pixhd": "stainbridge.translation.objectives.pix2pixhd",
    "pyramid-pix2pix": "stainbridge.translation.objectives.pyramid_pix2pix",
    "reg-gan": "stainbridge.translation.objectives.reg_gan",
    "supervised-patchnce": "stainbridge.translation.objectives.supervised_patchnce",
}


def load_objective(name: str) -> PublishedObjective[Any]:
    """Return the objective `name`. Raises `InputError` for a name that the table lacks."""
    if name not in OBJECTIVES:
        raise InputError("unknown objective", expected=", ".join(OBJECTIVES), got=name)
    objective: PublishedObjective[Any] = import_module(OBJECTIVES[name]).OBJECTIVE
    return objective


def objective_kinds() -> dict[str, type[TranslationObjectiveConfig]]:
    """Return the configurations of all objectives by their `kind`."""
    configs = [load_objective(name).config for name in OBJECTIVES]
    return {config.kind: config for config in configs}


def make_task(config: TranslationConfig) -> TranslationTask:
    """Make the untrained task of a configuration; its networks draw from torch's random state."""
    names = [config.name, *OBJECTIVES] if config.name in OBJECTIVES else list(OBJECTIVES)
    for name in names:
        objective = load_objective(name)
        if isinstance(config.objective, objective.config):
            return objective.task(config, config.objective)
    raise InputError("no objective of this kind is in the table", got=config.objective.kind)

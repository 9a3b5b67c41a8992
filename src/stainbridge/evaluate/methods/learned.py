"""The trained networks as methods of their own, and the preset that begins with one."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from stainbridge.errors import InputError
from stainbridge.learn.shipped import weights_path
from stainbridge.learn.weights import weights_file
from stainbridge.registration.config import LearnedAffineConfig, LearnedFieldConfig, RegisterConfig

_DEFAULT = RegisterConfig.preset("default")
DEFORMABLE = ("multiscale-fcn", "fcn", "dirnet", "unet-svf")

#: "affine-net" has no stage after the network, the deformable networks none after theirs; where
#: verification rejects what a network found, what the preset does instead stands, as in any
#: registration.
LEARNED: dict[str, RegisterConfig] = {
    "affine-net": replace(
        _DEFAULT, learned_affine=LearnedAffineConfig(refine=False), deformable=None
    ),
    "affine-net+default": replace(_DEFAULT, learned_affine=LearnedAffineConfig()),
    **{
        name: replace(
            _DEFAULT, learned_field=LearnedFieldConfig(weights=name, optimise=None), deformable=None
        )
        for name in DEFORMABLE
    },
}


def settings_of(config: RegisterConfig) -> dict[str, Any]:
    """What the method depends on: the configuration and, where they are found, the weights'
    digests.
    """
    named = [
        stage.weights
        for stage in (config.learned_affine, config.learned_field)
        if stage is not None
    ]
    return {**config.to_dict(), "digests": [_digest(name) for name in named]}


def _digest(name: str) -> str | None:
    try:
        return hashlib.sha256(weights_file(weights_path(name)).read_bytes()).hexdigest()[:16]
    except (InputError, OSError):  # missing weights are `weights_of`'s to tell
        return None


def weights_of(config: RegisterConfig) -> None:
    """Raises `InputError` where weights that the configuration names are nowhere."""
    for stage in (config.learned_affine, config.learned_field):
        if stage is not None:
            weights_path(stage.weights)

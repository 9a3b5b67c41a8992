"""The trained networks as methods of their own, and the preset that starts with one."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from typing import Any

from stainbridge.errors import InputError
from stainbridge.evaluate.methods.alignment import Method
from stainbridge.evaluate.methods.presets import load_configured
from stainbridge.learn.named_weights import find_weights
from stainbridge.learn.weights import choose_weights_file
from stainbridge.registration.config import LearnedAffineConfig, LearnedFieldConfig, RegisterConfig

_DEFAULT = RegisterConfig.preset("default")

#: The deformable networks, by the name of their weights, and what they are.
DEFORMABLE = {
    "multiscale-fcn": "the multi-scale FCN",
    "fcn": "the FCN",
    "dirnet": "DIRNet",
    "unet-svf": "the U-Net",
}

#: The configurations by method. "affine-net" has no stage after the network, and the deformable
#: networks none after theirs. Where verification rejects what a network found, the preset's own
#: result stands, as in any registration.
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

_DESCRIPTIONS = {
    "affine-net": "stainbridge, search and affine network alone",
    "affine-net+default": "stainbridge, preset default after the affine network",
    **{
        name: f"stainbridge, preset default, deformed by {network} alone"
        for name, network in DEFORMABLE.items()
    },
}


def read_settings(config: RegisterConfig) -> dict[str, Any]:
    """Return the configuration and the digests of its weights; None for weights not found."""
    named = [
        stage.weights
        for stage in (config.learned_affine, config.learned_field)
        if stage is not None
    ]
    return {**config.to_dict(), "digests": [_weights_digest(name) for name in named]}


def _weights_digest(name: str) -> str | None:
    try:
        content = choose_weights_file(find_weights(name)).read_bytes()
    except (InputError, OSError):  # `check_weights` reports missing weights
        return None
    return hashlib.sha256(content).hexdigest()[:16]


def check_weights(config: RegisterConfig) -> None:
    """Raise `InputError` where weights that the configuration names are not found."""
    for stage in (config.learned_affine, config.learned_field):
        if stage is not None:
            find_weights(stage.weights)


METHODS = tuple(
    Method(
        name,
        _DESCRIPTIONS[name],
        partial(load_configured, config),
        partial(read_settings, config),
        partial(check_weights, config),
    )
    for name, config in LEARNED.items()
)

"""The trained networks as methods of their own, and the preset that starts with one."""

from __future__ import annotations

from functools import partial
from typing import Any

from stainbridge.errors import InputError
from stainbridge.evaluate.methods.alignment import Method
from stainbridge.evaluate.methods.presets import load_configured
from stainbridge.learn.digest import digest_weights
from stainbridge.learn.named_weights import find_weights
from stainbridge.registration.config import (
    DeformableConfig,
    LearnedAffineConfig,
    LearnedFieldConfig,
    RegisterConfig,
)

_DEFAULT = RegisterConfig.preset("default")
_WITHOUT_DEFORMATION = _DEFAULT.without_stage(DeformableConfig)

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
    "affine-net": _WITHOUT_DEFORMATION.with_stage(LearnedAffineConfig(refine=False)),
    "affine-net+default": _DEFAULT.with_stage(LearnedAffineConfig()),
    **{
        name: _WITHOUT_DEFORMATION.with_stage(LearnedFieldConfig(weights=name, optimise=None))
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
    return {
        **config.to_dict(),
        "digests": [_weights_digest(name) for name in _list_weights(config)],
    }


def _list_weights(config: RegisterConfig) -> list[str]:
    return [
        stage.weights
        for stage in config.stages
        if isinstance(stage, LearnedAffineConfig | LearnedFieldConfig)
    ]


def _weights_digest(name: str) -> str | None:
    try:
        return digest_weights(find_weights(name))
    except (InputError, OSError):  # `check_weights` reports missing weights
        return None


def check_weights(config: RegisterConfig) -> None:
    """Raise `InputError` where weights that the configuration names are not found."""
    for name in _list_weights(config):
        find_weights(name)


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

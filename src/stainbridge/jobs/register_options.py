"""The registration configuration that the options of a job ask for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.registration.config import RegisterConfig


def register_config(
    *,
    preset: str | None,
    pipeline: Path | None,
    device: str | None,
    threads: int | None,
    seed: int | None,
    allow_flip: bool,
    max_rotation_deg: float | None,
    affine_weights: str | None,
    deformable_weights: str | None,
    sbr: str | None,
    sar: str | None,
    tune: int | None,
    tiles_px: int | None,
    transform: str | None = None,
) -> RegisterConfig:
    """Return the preset's or the pipeline file's configuration with the given options put in.

    None, and `allow_flip` True, leave what the configuration says. Raises `InputError` for a preset
    beside a pipeline file and for values that cannot be used.
    """
    from stainbridge.registration.config import RegisterConfig, TileRefinementConfig

    if preset is not None and pipeline is not None:
        raise InputError("--preset and --pipeline exclude each other", remedy="leave one out")
    if pipeline is None:
        config = RegisterConfig.preset(preset or "default")
    else:
        config = RegisterConfig.from_yaml(pipeline)
    options: dict[str, Any] = {
        "device": device,
        "threads": threads,
        "seed": seed,
        "max_rotation_deg": max_rotation_deg,
        "allow_flip": None if allow_flip else False,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if transform is not None:
        _check_stages(transform, affine_weights, (deformable_weights, sbr, sar, tiles_px))
        config = config.with_transform(transform)
    config = _with_networks(config.with_options(**given), affine_weights, deformable_weights)
    config = _with_joint_methods(config, sbr, sar, tune)
    if tiles_px is None:
        return config
    tiles = config.find_stage(TileRefinementConfig) or TileRefinementConfig()
    return config.with_stage(replace(tiles, longest_px=tiles_px))


def _check_stages(
    transform: str, affine_weights: str | None, deforming: tuple[str | int | None, ...]
) -> None:
    """Raise `InputError` for options of stages that a transform rules out."""
    has_deforming = any(option is not None for option in deforming)
    is_refused = transform != "deformable" and has_deforming
    if is_refused or (transform == "rigid" and affine_weights is not None):
        raise InputError(
            f"--transform {transform} excludes options of other stages",
            expected="no weights, runs or tiles of stages that do more",
            remedy="leave them out, or ask for deformable",
        )


def _with_networks(
    config: RegisterConfig, affine: str | None, deformable: str | None
) -> RegisterConfig:
    """Return the configuration with learned stages of these weights; their other fields stay."""
    from stainbridge.registration.config import LearnedAffineConfig, LearnedFieldConfig

    if affine is not None:
        learned_affine = config.find_stage(LearnedAffineConfig) or LearnedAffineConfig()
        config = config.with_stage(replace(learned_affine, weights=affine))
    if deformable is not None:
        learned_field = config.find_stage(LearnedFieldConfig) or LearnedFieldConfig()
        config = config.with_stage(replace(learned_field, weights=deformable))
    return config


def _with_joint_methods(
    config: RegisterConfig, sbr: str | None, sar: str | None, tune: int | None
) -> RegisterConfig:
    """Return the configuration with stages of these runs; their other fields stay."""
    if sbr is not None:
        from stainbridge.joint.sbr.stage import SbrConfig

        synthesis = config.find_stage(SbrConfig) or SbrConfig()
        config = config.with_stage(replace(synthesis, weights=sbr))
    if sar is not None:
        from stainbridge.joint.sar.stage import SarConfig

        segmenting = config.find_stage(SarConfig) or SarConfig()
        changed = replace(segmenting, weights=sar, tune=segmenting.tune if tune is None else tune)
        config = config.with_stage(changed)
    return config

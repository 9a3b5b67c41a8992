"""A trained variant, read from a run to be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from stainbridge.errors import InputError
from stainbridge.joint.field import GreyField
from stainbridge.joint.sbr.network import SynthByReg
from stainbridge.joint.sbr.task import GENERATOR, REGISTRATION, SliceTask
from stainbridge.learn.checkpoint import check_task
from stainbridge.learn.weights import (
    NETWORKS_PREFIX,
    StoredWeights,
    build_stored,
    copy_weights,
    header_errors,
    read_weights,
)
from stainbridge.nn.resnet_generator import ResNetConfig, ResNetGenerator
from stainbridge.nn.unet_svf import UNetSVF, UNetSVFConfig
from stainbridge.settings import build

#: The variant that registers within one modality.
INTRA = "registration"


def load_sbr(path: Path, device: str = "cpu") -> GreyField:
    """Load a run of `train sbr`, or a file of its weights.

    Raises `InputError` for a damaged file and for weights of something else.
    """
    stored = read_weights(path)
    check_task(stored, SliceTask.name)
    with header_errors(stored):
        registration_config = build(UNetSVFConfig, stored.settings["network"], stored.path)
        values = stored.settings["generator"]
        generator_config = None if values is None else build(ResNetConfig, values, stored.path)
        longest_px = int(stored.settings["longest_px"])
        mpp = float(stored.settings["mpp"])
        calibrated = bool(stored.settings["calibrated"])
    registration = build_stored(stored, lambda: UNetSVF(registration_config))
    _copy(stored, REGISTRATION, registration)
    generator = None
    if generator_config is not None:
        generator = build_stored(stored, lambda: ResNetGenerator(generator_config))
        _copy(stored, GENERATOR, generator)
    network = SynthByReg(registration, generator).eval().requires_grad_(False)
    return GreyField(
        network.to(device),
        longest_px,
        mpp,
        torch.device(device),
        calibrated,
    )


def load_registration(path: Path) -> UNetSVF:
    """Load R of a run of the variant "registration", to train through it.

    Raises `InputError` for another variant's run.
    """
    stored = read_weights(path)
    check_task(stored, SliceTask.name)
    variant = stored.settings["variant"]
    if variant != INTRA:
        raise InputError("a run of another variant", where=path, expected=INTRA, got=variant)
    with header_errors(stored):
        config = build(UNetSVFConfig, stored.settings["network"], stored.path)
    network = build_stored(stored, lambda: UNetSVF(config))
    _copy(stored, REGISTRATION, network)
    return network


def _copy(stored: StoredWeights, name: str, network: torch.nn.Module) -> None:
    prefix = f"{NETWORKS_PREFIX}.{name}."
    tensors = {key: value for key, value in stored.tensors.items() if key.startswith(prefix)}
    copy_weights(replace(stored, tensors=tensors), {name: network})

"""A generator as an ONNX file, for programs that are not PyTorch's."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stainbridge.errors import InputError, MissingExtraError
from stainbridge.nn.generators import Generator
from stainbridge.translation.inference.model import Model
from stainbridge.whole import whole_file

#: The extra that installs what exporting needs.
EXTRA = "onnx"
#: What exporting needs.
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
#: Name of the exported network's input.
INPUT = "source"
#: Name of the exported network's output.
OUTPUT = "target"
#: Key of the metadata that describe the network.
HEADER = "stainbridge"
#: Largest difference of the exported network, in −1 … 1: less than a grey level of 8 bits, 2 / 255.
TOLERANCE = 1e-3


def write_onnx(model: Model, path: Path) -> float:
    """Write the translation of `model` at `path`, whole or not at all, and compare the two.

    The input "source" is (N, C, H, W) in −1 … 1, its sides multiples of the network's period; the
    output "target" is of the same size. The metadata describe the model. Returns the largest
    difference from the original. Raises `InputError` where it could be seen, and
    `MissingExtraError` without the packages that exporting needs.
    """
    network = model.generator.cpu()
    with whole_file(path) as temporary:
        _export(network, model.source_channels, describe_model(model), temporary)
        difference = _difference(network, model.source_channels, temporary)
        if not difference < TOLERANCE:
            raise InputError(
                "the exported network differs",
                where=path,
                expected=f"< {TOLERANCE}",
                got=difference,
            )
    return difference


def describe_model(model: Model) -> dict[str, Any]:
    """Return what a program that runs the network has to know, as plain values."""
    return {
        "objective": model.objective,
        "source": model.source,
        "target": model.target,
        "mpp": model.mpp,
        "values": "-1 to 1, from 0 to 255",
        "period_px": model.period,
        "reach_px": model.generator.reach,
    }


def _export(network: Generator, channels: int, facts: Mapping[str, Any], path: Path) -> None:
    """Write the network with `facts`; the same network gives the same bytes on every machine."""
    _check_packages()
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    period = network.period
    example = torch.zeros(1, channels, 3 * period, 4 * period)
    sides = {2: period * torch.export.Dim("rows"), 3: period * torch.export.Dim("columns")}
    # Hide the exporter's advice about torchvision and about itself.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC, **sides},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # the exporter that is not asked for returns none
    # The exporter notes in which files of this machine each operation was written.
    ClearMetadataAndDocStringPass()(program.model)
    program.model.metadata_props[HEADER] = json.dumps(facts)
    program.save(path, external_data=False)


def _difference(network: Generator, channels: int, path: Path) -> float:
    """Return the largest difference on noise of another size than the exported example's."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read on import; it warns without a home
    import onnxruntime

    noise = np.random.default_rng(0).uniform(
        -1, 1, (1, channels, 5 * network.period, 2 * network.period)
    )
    pictures = noise.astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (exported,) = session.run([OUTPUT], {INPUT: pictures})
    with torch.inference_mode():
        return float(np.abs(exported - network(torch.from_numpy(pictures)).numpy()).max())


def _check_packages() -> None:
    from importlib.util import find_spec

    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError("exporting to ONNX", package, EXTRA)

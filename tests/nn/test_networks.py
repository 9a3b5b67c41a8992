"""The tables of networks."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from tests.nn.shift_net import ShiftNet, ShiftNetConfig
from torch import nn

from stainbridge.errors import InputError
from stainbridge.nn.affine import AffineNetwork, build_affine
from stainbridge.nn.deformable import build_deformable, deformable_preset, read_deformable_config
from stainbridge.nn.fields import DeformableNet
from stainbridge.nn.generators import Generator, build_generator
from stainbridge.nn.networks import (
    AFFINE_NETWORKS,
    DEFORMABLE_NETWORKS,
    GENERATORS,
    NetworkEntry,
)
from stainbridge.settings import to_dict

BUILDERS = {"affine": build_affine, "deformable": build_deformable, "generator": build_generator}
CLASSES = {"affine": AffineNetwork, "deformable": DeformableNet, "generator": Generator}
TABLES = {"affine": AFFINE_NETWORKS, "deformable": DEFORMABLE_NETWORKS, "generator": GENERATORS}
#: The line that a new network adds to its table.
SHIFT_ENTRY = NetworkEntry("tests.nn.shift_net", "ShiftNet", "ShiftNetConfig")


@pytest.mark.parametrize(
    ("role", "kind"), [(role, kind) for role, table in TABLES.items() for kind in table]
)
def test_every_line_leads_to_a_network_of_its_role(role: str, kind: str) -> None:
    config = TABLES[role][kind].load_config()()
    assert config.kind == kind
    with torch.device("meta"):
        network = BUILDERS[role](config)
    assert isinstance(network, CLASSES[role])
    assert isinstance(network, nn.Module)


def test_names_of_networks_cost_no_import_of_torch() -> None:
    script = "import sys, stainbridge.nn.networks; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_a_new_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEFORMABLE_NETWORKS, "shift", SHIFT_ENTRY)
    config = deformable_preset("shift", "small")
    assert config == ShiftNetConfig()
    assert isinstance(build_deformable(config), ShiftNet)
    values = to_dict(ShiftNetConfig(initial_px=2.0))
    assert read_deformable_config(values, "weights") == ShiftNetConfig(initial_px=2.0)


@pytest.mark.parametrize("kind", ["shift", None])
def test_an_unknown_network_is_one_line(kind: str | None) -> None:
    with pytest.raises(
        InputError, match=r"^a.safetensors: unknown network; expected multiscale-fcn, fcn, [^\n]*$"
    ):
        read_deformable_config({"kind": kind}, "a.safetensors")

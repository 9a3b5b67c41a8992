"""The variants of Synth-by-Reg by name. A new one is a module and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from stainbridge.errors import InputError

if TYPE_CHECKING:
    from stainbridge.joint.sbr.objective import SbrObjectiveConfig
    from stainbridge.joint.sbr.variant import Variant

#: Each variant's name, and the module whose `VARIANT` it is. Modules, so that a command can list
#: its choices without importing torch.
VARIANTS: dict[str, str] = {
    "registration": "stainbridge.joint.sbr.intra",
    "sbr": "stainbridge.joint.sbr.sbr",
    "sbr-n": "stainbridge.joint.sbr.sbr_n",
    "sbr-g": "stainbridge.joint.sbr.sbr_g",
    "cgan": "stainbridge.joint.sbr.cgan",
    "nmi": "stainbridge.joint.sbr.nmi",
    "nmi-w": "stainbridge.joint.sbr.nmi_w",
}


def load_variant(name: str) -> Variant:
    """Return the variant `name`. Raises `InputError` for a name that the table lacks."""
    if name not in VARIANTS:
        raise InputError("unknown variant", expected=", ".join(VARIANTS), got=name)
    variant: Variant = import_module(VARIANTS[name]).VARIANT
    return variant


def objective_kinds() -> dict[str, type[SbrObjectiveConfig]]:
    """Return the configurations of all variants' objectives by their `kind`."""
    objectives = [load_variant(name).objective for name in VARIANTS]
    return {objective.kind: objective for objective in objectives}

"""Organs: which bodies a tissue has, how large and how many, and how wide its zones are."""

from __future__ import annotations

from dataclasses import dataclass

from stainbridge.errors import InputError
from stainbridge.phantom.tissue.bodies import BodyKind

#: From this `adipose_level` or `lobule_level` on, fat or lobules are everywhere; from its negative
#: down, nowhere. Noise of deviation 1 is added to the level.
EVERYWHERE = 9.0
#: Glands with a lining of this thickness in µm have no lumen.
SOLID_UM = 50.0

_GLAND = BodyKind("gland", 104.0, (24.0, 46.0), (1.0, 2.2), jitter=0.5)
_DENSE_GLAND = BodyKind("dense gland", 84.0, (30.0, 50.0), (1.0, 1.6), jitter=0.6)
_DUCT = BodyKind("duct", 640.0, (55.0, 120.0), (1.0, 1.7), drift_period_um=400.0)
_VESSEL = BodyKind("vessel", 270.0, (14.0, 46.0), (1.0, 2.0), drift_period_um=300.0)
_CAPILLARY = BodyKind("capillary", 58.0, (3.2, 6.0), (1.0, 2.6))
_FOLLICLE = BodyKind(
    "follicle", 720.0, (90.0, 170.0), (1.0, 1.3), jitter=0.5, drift_period_um=600.0
)
_FAT_CELL = BodyKind(
    "fat cell", 62.0, (31.0, 31.0), jitter=0.75, max_distance_um=45.0, drift_period_um=200.0
)


@dataclass(frozen=True)
class Organ:
    """The structures of one kind of tissue.

    A share says how many of a kind's candidates are present, 0 to 1. A width is relative to the
    tissue's radius. A level is added to noise of deviation 1: structures lie where the sum is
    positive.
    """

    name: str
    """The name of the organ."""
    gland: BodyKind = _GLAND
    """Glands outside the lesion."""
    dense_gland: BodyKind = _DENSE_GLAND
    """The lesion's crowded glands."""
    duct: BodyKind = _DUCT
    """Ducts, or a lung's airways."""
    vessel: BodyKind = _VESSEL
    """Vessels with a wall."""
    capillary: BodyKind = _CAPILLARY
    """Capillaries."""
    follicle: BodyKind = _FOLLICLE
    """Lymph follicles, or a kidney's glomeruli."""
    fat_cell: BodyKind = _FAT_CELL
    """Fat cells, or a lung's alveoli."""
    gland_share: float = 0.93
    """Share of glands."""
    duct_share: float = 0.5
    """Share of ducts."""
    vessel_share: float = 0.62
    """Share of vessels outside the lesion."""
    follicle_share: float = 0.33
    """Share of follicles."""
    lobule_level: float = 1.15
    """Level of the lobules that glands lie in."""
    lining_um: float = 13.5
    """Thickness of the glands' epithelium."""
    lesion_lining_um: float = 19.0
    """Thickness of the epithelium in the lesion; from 50 on solid nests without a lumen."""
    muscle_width: float = 0.42
    """Width of the muscle coat."""
    fat_width: float = 0.34
    """Width of the fat at the outline."""
    lesion_width: float = 0.40
    """Radius of the lesion; 0 for none."""
    necrosis_width: float = 0.0
    """Radius of the necrosis in the lesion; 0 for none."""
    adipose_level: float = -9.0
    """Level of the fat inside the tissue."""
    septum_half_width_um: float = 1.2
    """Half width of the borders between fat cells."""
    septum_nucleus_share: float = 0.03
    """Share of places on these borders that hold a nucleus."""
    has_glomeruli: bool = False
    """Whether the follicles are glomeruli."""
    lymphocyte_share: float = 0.012
    """Share of places in the stroma that hold a lymphocyte."""

    @property
    def landmark_kinds(self) -> tuple[BodyKind, ...]:
        """The kinds whose bodies can be recognised by eye."""
        return self.gland, self.dense_gland, self.duct, self.vessel, self.follicle


#: The organs by name.
ORGANS = {
    organ.name: organ
    for organ in (
        Organ("gland"),
        Organ(
            "kidney",
            gland=BodyKind("gland", 51.0, (20.0, 29.0), (1.0, 2.2), jitter=0.4),
            follicle=BodyKind(
                "follicle", 300.0, (52.0, 72.0), (1.0, 1.15), jitter=0.6, drift_period_um=300.0
            ),
            gland_share=0.97,
            duct_share=0.12,
            vessel_share=0.5,
            follicle_share=0.5,
            lobule_level=EVERYWHERE,
            lining_um=11.0,
            muscle_width=0.0,
            fat_width=0.25,
            lesion_width=0.0,
            has_glomeruli=True,
        ),
        Organ(
            "lung",
            fat_cell=BodyKind(
                "fat cell",
                72.0,
                (36.0, 36.0),
                jitter=0.95,
                max_distance_um=60.0,
                drift_period_um=200.0,
            ),
            gland_share=0.0,
            duct_share=0.35,
            follicle_share=0.08,
            muscle_width=0.0,
            fat_width=0.0,
            lesion_width=0.38,
            lesion_lining_um=24.0,
            necrosis_width=0.25,
            adipose_level=EVERYWHERE,
            septum_half_width_um=2.6,
            septum_nucleus_share=0.62,
        ),
        Organ(
            "breast",
            gland=BodyKind("gland", 66.0, (17.0, 30.0), (1.0, 1.5), jitter=0.5),
            duct_share=0.75,
            follicle_share=0.06,
            lobule_level=0.05,
            lining_um=11.0,
            muscle_width=0.0,
            fat_width=0.5,
            lesion_width=0.34,
            adipose_level=0.15,
        ),
        Organ(
            "lymph node",
            follicle=BodyKind(
                "follicle", 420.0, (95.0, 175.0), (1.0, 1.35), jitter=0.55, drift_period_um=600.0
            ),
            gland_share=0.0,
            duct_share=0.0,
            follicle_share=0.86,
            muscle_width=0.10,
            fat_width=0.30,
            lesion_width=0.22,
            lymphocyte_share=0.62,
        ),
        Organ(
            "carcinoma",
            dense_gland=BodyKind("dense gland", 128.0, (44.0, 78.0), (1.0, 2.4), jitter=0.8),
            follicle_share=0.2,
            lobule_level=0.5,
            muscle_width=0.25,
            lesion_width=0.72,
            lesion_lining_um=SOLID_UM + 20,
            necrosis_width=0.30,
            lymphocyte_share=0.04,
        ),
    )
}


def find_organ(name: str) -> Organ:
    """Return the organ of that name. Raise `InputError` for an unknown one."""
    if name not in ORGANS:
        raise InputError("unknown organ", expected=", ".join(ORGANS), got=name)
    return ORGANS[name]

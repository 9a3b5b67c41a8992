"""Organs: what bodies a tissue has, how large and how many, and how wide its zones are."""

from __future__ import annotations

from dataclasses import dataclass

from stainbridge.errors import InputError
from stainbridge.phantom.tissue.bodies import BodyKind

#: From this value of `adipose` or `lobules` on, everywhere; from this lining on, without a lumen.
EVERYWHERE, SOLID_UM = 9.0, 50.0

_GLAND = BodyKind("gland", 104.0, (24.0, 46.0), (1.0, 2.2), jitter=0.5)
_DENSE = BodyKind("dense gland", 84.0, (30.0, 50.0), (1.0, 1.6), jitter=0.6)
_DUCT = BodyKind("duct", 640.0, (55.0, 120.0), (1.0, 1.7), drift_period_um=400.0)
_VESSEL = BodyKind("vessel", 270.0, (14.0, 46.0), (1.0, 2.0), drift_period_um=300.0)
_CAPILLARY = BodyKind("capillary", 58.0, (3.2, 6.0), (1.0, 2.6))
_FOLLICLE = BodyKind("follicle", 720.0, (90.0, 170.0), (1.0, 1.3), jitter=0.5, drift_period_um=600.0)
_FAT_CELL = BodyKind("fat cell", 62.0, (31.0, 31.0), jitter=0.75, far_um=45.0, drift_period_um=200.0)


@dataclass(frozen=True)
class Organ:
    """The bodies of a tissue, the `share` of each kind's places that is taken, and its zones.

    `lobules` is how far glands fill the parenchyma (0.2: islands, 9: everywhere), `lining_um` their
    epithelium and `lesion_lining_um` that of the lesion (beyond 50: solid nests without a lumen).
    `muscle`, `fat`, `lesion` and `necrosis` are widths relative to the tissue's radius, `adipose`
    fat inside the tissue (-9: none, 9: everywhere). `septum_um` and `septum_cells` are the half
    width of fat cells' borders and how often a nucleus lies in them; `tufts` makes follicles into
    glomeruli; `lymphocytes` is the share of the stroma's places they take.
    """

    name: str
    gland: BodyKind = _GLAND
    dense: BodyKind = _DENSE
    duct: BodyKind = _DUCT
    vessel: BodyKind = _VESSEL
    capillary: BodyKind = _CAPILLARY
    follicle: BodyKind = _FOLLICLE
    fat_cell: BodyKind = _FAT_CELL
    glands: float = 0.93
    ducts: float = 0.5
    vessels: float = 0.62
    follicles: float = 0.33
    lobules: float = 1.15
    lining_um: float = 13.5
    lesion_lining_um: float = 19.0
    muscle: float = 0.42
    fat: float = 0.34
    lesion: float = 0.40
    necrosis: float = 0.0
    adipose: float = -9.0
    septum_um: float = 1.2
    septum_cells: float = 0.03
    tufts: bool = False
    lymphocytes: float = 0.012

    @property
    def kinds(self) -> tuple[BodyKind, ...]:
        """The kinds whose bodies can be told apart by eye."""
        return self.gland, self.dense, self.duct, self.vessel, self.follicle


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
            glands=0.97,
            ducts=0.12,
            vessels=0.5,
            follicles=0.5,
            lobules=EVERYWHERE,
            lining_um=11.0,
            muscle=0.0,
            fat=0.25,
            lesion=0.0,
            tufts=True,
        ),
        Organ(
            "lung",
            fat_cell=BodyKind(
                "fat cell", 72.0, (36.0, 36.0), jitter=0.95, far_um=60.0, drift_period_um=200.0
            ),
            glands=0.0,
            ducts=0.35,
            follicles=0.08,
            muscle=0.0,
            fat=0.0,
            lesion=0.38,
            lesion_lining_um=24.0,
            necrosis=0.25,
            adipose=EVERYWHERE,
            septum_um=2.6,
            septum_cells=0.62,
        ),
        Organ(
            "breast",
            gland=BodyKind("gland", 66.0, (17.0, 30.0), (1.0, 1.5), jitter=0.5),
            ducts=0.75,
            follicles=0.06,
            lobules=0.05,
            lining_um=11.0,
            muscle=0.0,
            fat=0.5,
            lesion=0.34,
            adipose=0.15,
        ),
        Organ(
            "lymph node",
            follicle=BodyKind(
                "follicle", 420.0, (95.0, 175.0), (1.0, 1.35), jitter=0.55, drift_period_um=600.0
            ),
            glands=0.0,
            ducts=0.0,
            follicles=0.86,
            muscle=0.10,
            fat=0.30,
            lesion=0.22,
            lymphocytes=0.62,
        ),
        Organ(
            "carcinoma",
            dense=BodyKind("dense gland", 128.0, (44.0, 78.0), (1.0, 2.4), jitter=0.8),
            follicles=0.2,
            lobules=0.5,
            muscle=0.25,
            lesion=0.72,
            lesion_lining_um=SOLID_UM + 20,
            necrosis=0.30,
            lymphocytes=0.04,
        ),
    )
}


def find_organ(name: str) -> Organ:
    """The organ of that name. Raises `InputError` for an unknown one."""
    if name not in ORGANS:
        raise InputError("unknown organ", expected=", ".join(ORGANS), got=name)
    return ORGANS[name]

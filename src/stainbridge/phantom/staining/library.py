"""The library of stains."""

from __future__ import annotations

from stainbridge.errors import InputError
from stainbridge.phantom.staining.stain import Dye, Stain, Uptake

#: Directions of haematoxylin, DAB, PAS and aniline blue after Ruifrok and Johnston 2001,
#: "Quantification of histochemical staining by color deconvolution"; eosin as scanners see it (less
#: saturated).
DYES = {
    dye.name: dye
    for dye in (
        Dye("hematoxylin", (0.62, 0.76, 0.34)),
        Dye("eosin", (0.17, 0.86, 0.46)),
        Dye("erythrocyte", (0.14, 0.92, 0.72)),
        Dye("dab", (0.42, 0.62, 0.80)),
        Dye("schiff", (0.24, 0.92, 0.32)),
        Dye("iron hematoxylin", (0.72, 0.76, 0.62)),
        Dye("ponceau", (0.16, 0.94, 0.62)),
        Dye("aniline blue", (0.90, 0.56, 0.14)),
        Dye("DAPI", (0.25, 0.35, 1.0)),
        Dye("autofluorescence", (0.2, 0.9, 0.3)),
        Dye("autofluorescence red", (0.9, 0.3, 0.2)),
        Dye("PanCK", (0.1, 1.0, 0.2)),
        Dye("Ki67", (1.0, 0.25, 0.1)),
    )
}


def _dyes(first: str, second: str, third: str) -> tuple[Dye, Dye, Dye]:
    return DYES[first], DYES[second], DYES[third]


#: What an immunostain's haematoxylin, and the marker's background, leave in each material.
_COUNTERSTAIN: dict[str, Uptake] = {
    "stroma": (0.055, 0, 0.012),
    "muscle": (0.085, 0, 0.02),
    "epithelium": (0.12, 0, 0.015),
    "tumour": (0.15, 0, 0.015),
    "apical": (0.05, 0, 0.01),
    "basement": (0.07, 0, 0.01),
    "secretion": (0.05, 0, 0.02),
    "wall": (0.09, 0, 0.02),
    "endothelium": (0.10, 0, 0.0),
    "blood": (0.03, 0, 0.06),
    "fat_membrane": (0.06, 0, 0.01),
    "lymphoid": (0.16, 0, 0.015),
    "necrosis": (0.10, 0, 0.07),
}

_IHC_DYES = _dyes("hematoxylin", "eosin", "dab")
#: What strongly positive nuclei take up of an immunostain's dyes.
_STRONG_NUCLEI: Uptake = (0.25, 0.0, 1.75)

#: What materials emit without a marker.
_AUTOFLUORESCENCE: dict[str, Uptake] = {
    "stroma": (0.02, 0.10, 0.05),
    "muscle": (0.02, 0.16, 0.08),
    "epithelium": (0.04, 0.13, 0.06),
    "tumour": (0.04, 0.10, 0.05),
    "apical": (0.02, 0.08, 0.03),
    "basement": (0.02, 0.10, 0.04),
    "secretion": (0.02, 0.12, 0.05),
    "wall": (0.03, 0.26, 0.12),
    "endothelium": (0.02, 0.10, 0.05),
    "blood": (0.03, 0.42, 0.40),
    "fat_membrane": (0.01, 0.07, 0.03),
    "lymphoid": (0.03, 0.08, 0.04),
    "necrosis": (0.06, 0.22, 0.12),
}

_ALL = (
    Stain(
        "HE",
        _dyes("hematoxylin", "eosin", "erythrocyte"),
        {
            "stroma": (0.04, 0.36, 0),
            "muscle": (0.07, 0.62, 0),
            "epithelium": (0.22, 0.40, 0),
            "tumour": (0.36, 0.34, 0),
            "apical": (0.10, 0.17, 0),
            "basement": (0.06, 0.50, 0),
            "secretion": (0.02, 0.36, 0),
            "wall": (0.06, 0.58, 0),
            "endothelium": (0.10, 0.45, 0),
            "blood": (0.0, 0.30, 0.70),
            "fat_membrane": (0.04, 0.36, 0),
            "lymphoid": (0.24, 0.22, 0),
            "necrosis": (0.10, 0.62, 0),
        },
        1.75,
    ),
    Stain(
        "Ki67",
        _IHC_DYES,
        _COUNTERSTAIN,
        0.75,
        {
            "epithelium": 0.14,
            "tumour": 0.62,
            "lymphocyte": 0.10,
            "centre": 0.8,
            "spindle": 0.03,
            "duct": 0.06,
        },
        _STRONG_NUCLEI,
        weakness=0.45,
    ),
    Stain(
        "PHH3",
        _IHC_DYES,
        _COUNTERSTAIN,
        0.80,
        {"epithelium": 0.008, "tumour": 0.045, "centre": 0.09, "lymphocyte": 0.004},
        (0.15, 0.0, 2.1),
        weakness=0.15,
    ),
    Stain(
        "ER",
        _IHC_DYES,
        _COUNTERSTAIN,
        0.70,
        {"epithelium": 0.45, "duct": 0.55, "tumour": 0.88},
        (0.30, 0.0, 1.45),
        patchiness=0.3,
        weakness=0.65,
    ),
    Stain(
        "HER2",
        _IHC_DYES,
        _COUNTERSTAIN | {"tumour": (0.13, 0, 0.16), "epithelium": (0.12, 0, 0.05)},
        0.70,
        membrane_uptake={"tumour": 1.5, "epithelium": 0.30, "duct": 0.30},
        patchiness=0.5,
    ),
    Stain(
        "PanCK",
        _IHC_DYES,
        _COUNTERSTAIN
        | {"epithelium": (0.10, 0, 0.95), "tumour": (0.12, 0, 0.80), "apical": (0.06, 0, 0.62)}
        | {"basement": (0.08, 0, 0.35), "necrosis": (0.10, 0, 0.35)},
        0.80,
        patchiness=0.25,
    ),
    Stain(
        "CD31",
        _IHC_DYES,
        _COUNTERSTAIN | {"endothelium": (0.05, 0, 1.45), "wall": (0.10, 0, 0.10)},
        0.80,
        patchiness=0.15,
    ),
    Stain(
        "PAS",
        _dyes("hematoxylin", "schiff", "erythrocyte"),
        {
            "stroma": (0.05, 0.15, 0),
            "muscle": (0.07, 0.30, 0),
            "epithelium": (0.14, 0.22, 0),
            "tumour": (0.20, 0.18, 0),
            "apical": (0.03, 0.78, 0),
            "basement": (0.02, 1.05, 0),
            "secretion": (0.0, 0.95, 0),
            "wall": (0.05, 0.48, 0),
            "endothelium": (0.08, 0.30, 0),
            "blood": (0.0, 0.18, 0.22),
            "fat_membrane": (0.03, 0.22, 0),
            "lymphoid": (0.18, 0.10, 0),
            "necrosis": (0.10, 0.35, 0),
        },
        1.10,
    ),
    Stain(
        "Masson",
        _dyes("iron hematoxylin", "ponceau", "aniline blue"),
        {
            "stroma": (0.02, 0.03, 0.62),
            "muscle": (0.04, 0.68, 0.05),
            "epithelium": (0.16, 0.42, 0.04),
            "tumour": (0.24, 0.40, 0.03),
            "apical": (0.05, 0.16, 0.14),
            "basement": (0.02, 0.05, 0.95),
            "secretion": (0.02, 0.20, 0.25),
            "wall": (0.03, 0.50, 0.30),
            "endothelium": (0.06, 0.30, 0.15),
            "blood": (0.0, 1.05, 0.0),
            "fat_membrane": (0.02, 0.05, 0.40),
            "lymphoid": (0.18, 0.22, 0.05),
            "necrosis": (0.08, 0.70, 0.10),
        },
        1.25,
    ),
    Stain(
        "DAPI",
        _dyes("DAPI", "autofluorescence", "autofluorescence red"),
        _AUTOFLUORESCENCE,
        1.30,
        fluorescent=True,
    ),
    Stain(
        "IF",
        _dyes("DAPI", "PanCK", "Ki67"),
        _AUTOFLUORESCENCE
        | {
            "epithelium": (0.04, 0.85, 0.05),
            "tumour": (0.04, 0.75, 0.05),
            "apical": (0.02, 0.55, 0.03),
        },
        1.20,
        {
            "epithelium": 0.14,
            "tumour": 0.62,
            "lymphocyte": 0.10,
            "centre": 0.8,
            "spindle": 0.03,
            "duct": 0.06,
        },
        (1.0, 0.05, 1.3),
        weakness=0.45,
        fluorescent=True,
    ),
)

#: The stains by name.
STAINS = {stain.name: stain for stain in _ALL}
#: Other names of stains, in lower case.
_SYNONYMS = {"h&e": "HE", "ck": "PanCK", "her2/neu": "HER2", "trichrome": "Masson"}


def find_stain(name: str) -> Stain:
    """Return the stain of that name, in any case. Raise `InputError` for an unknown one."""
    known = {stain.lower(): stain for stain in STAINS} | _SYNONYMS
    if name.lower() not in known:
        raise InputError("unknown stain", expected=", ".join(STAINS), got=name)
    return STAINS[known[name.lower()]]

"""VALIS with its defaults, the fixed picture as its reference.

Gatenbee et al. 2023, "Virtual alignment of pathology image series for multi-gigapixel whole slide images",
doi:10.1038/s41467-023-40218-9.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from exchange import run
from valis import registration


def valis(folder: Path, points: Any) -> Any:
    """Where the points go, (N, 2)."""
    slides = folder / "slides"
    slides.mkdir()
    for name in ("fixed.png", "moving.png"):
        shutil.copy(folder / name, slides / name)
    registrar = registration.Valis(
        str(slides), str(folder / "valis"), reference_img_f="fixed.png", align_to_reference=True
    )
    try:
        registrar.register()
        fixed, moving = registrar.get_slide("fixed.png"), registrar.get_slide("moving.png")
        return fixed.warp_xy_from_to(points, moving)
    finally:
        registration.kill_jvm()


run(valis)

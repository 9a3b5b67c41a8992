"""Run VALIS with SuperPoint and SuperGlue, and the fixed picture as its reference.

Their weights come with VALIS. Its default, DISK and LightGlue, downloads weights when it is
imported. It is asked to look for mirrored slides; all other settings are its defaults.

Gatenbee et al. 2023, "Virtual alignment of pathology image series for multi-gigapixel whole slide
images", doi:10.1038/s41467-023-40218-9.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from exchange import run_peer
from kornia import feature

# The default matcher is built on import and not used: without weights nothing is downloaded.
feature.DISK.from_pretrained = lambda *_args, **_named: feature.DISK()
feature.LightGlueMatcher = torch.nn.Identity

from valis import feature_detectors, feature_matcher, registration  # noqa: E402

# VALIS 1.2.0 hands SuperPoint a mask, which it has no argument for.
detect_without_mask = feature_detectors.SuperPointFD._detect_and_compute


def detect_and_compute(detector: Any, image: Any, mask: Any = None) -> Any:  # noqa: ARG001
    """Detect features and ignore the mask."""
    return detect_without_mask(detector, image)


feature_detectors.SuperPointFD._detect_and_compute = detect_and_compute


def map_points(folder: Path, points: Any) -> Any:
    """Return where the points go, (N, 2)."""
    slides = folder / "slides"
    slides.mkdir()
    for name in ("fixed.png", "moving.png"):
        shutil.copy(folder / name, slides / name)
    registrar = registration.Valis(
        str(slides),
        str(folder / "valis"),
        reference_img_f="fixed.png",
        align_to_reference=True,
        check_for_reflections=True,
        matcher=feature_matcher.SuperGlueMatcher(),
    )
    try:
        registrar.register()
        fixed = registrar.get_slide("fixed.png")
        moving = registrar.get_slide("moving.png")
        return fixed.warp_xy_from_to(points, moving)
    finally:
        registration.kill_jvm()


run_peer(map_points)

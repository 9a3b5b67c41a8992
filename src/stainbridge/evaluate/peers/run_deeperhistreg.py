"""Run DeeperHistReg's fast preset: features and an initial alignment, then optimisation.

Wodzinski et al. 2024, "DeeperHistReg: robust whole slide images registration framework",
arXiv:2404.14434.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import deeperhistreg
import numpy as np
import SimpleITK
import torch
from exchange import run_peer
from PIL import Image
from scipy.ndimage import map_coordinates


def pad_pictures(folder: Path) -> tuple[int, int]:
    """Give both pictures one size, white at the right and below; return (width, height).

    DeeperHistReg itself would centre them.
    """
    pictures = {name: Image.open(folder / f"{name}.png") for name in ("fixed", "moving")}
    width, height = (max(picture.size[axis] for picture in pictures.values()) for axis in (0, 1))
    for name, picture in pictures.items():
        canvas = Image.new("RGB", (width, height), "white")
        canvas.paste(picture, (0, 0))
        canvas.save(folder / f"{name}_padded.png")
    return width, height


def make_settings() -> dict[str, Any]:
    """Return the preset, but for pictures at full size and without a warped slide.

    The preset reads slides at a fifth of their size.
    """
    chosen: dict[str, Any] = deeperhistreg.configs.default_initial_nonrigid_fast()
    chosen["loading_params"].update(
        loader="pil", source_resample_ratio=1.0, target_resample_ratio=1.0
    )
    chosen["save_final_images"] = False
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    for part in (
        chosen,
        chosen["initial_registration_params"],
        chosen["nonrigid_registration_params"],
    ):
        part["device"] = device
    chosen["initial_registration_params"]["cuda"] = device != "cpu"
    return chosen


def map_points(folder: Path, points: Any) -> Any:
    """Return where the points go, (N, 2).

    The displacement field pulls the source (moving) onto the target (fixed).
    """
    size = np.array(pad_pictures(folder))
    deeperhistreg.run_registration(
        source_path=str(folder / "moving_padded.png"),
        target_path=str(folder / "fixed_padded.png"),
        output_path=str(folder / "result"),
        registration_parameters=make_settings(),
        case_name="case",
        save_displacement_field=True,
        copy_target=False,
        delete_temporary_results=False,
        temporary_path=str(folder / "temporary"),
    )
    field = SimpleITK.GetArrayFromImage(
        SimpleITK.ReadImage(str(folder / "result" / "displacement_field.mha"))
    )
    if field.shape[0] != 2:
        field = np.moveaxis(field, -1, 0)
    scale = np.array(field.shape[:0:-1]) / size  # its working pixels per pixel of the pictures
    field_points = (points + 0.5) * scale - 0.5
    moved = [map_coordinates(u, field_points.T[::-1], order=1, mode="nearest") for u in field]
    return (field_points + np.stack(moved, axis=1) + 0.5) / scale - 0.5


run_peer(map_points)

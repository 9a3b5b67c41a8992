"""Align differently stained whole-slide images and use the result.

>>> import stainbridge
>>> pair = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0, difficulty="easy")
>>> registration = stainbridge.register(pair.fixed, pair.moving, "fast")
>>> registration.warp_points([[120, 80]]).shape
(1, 2)

Names are imported when they are first used, so that `import stainbridge` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stainbridge.api import register as register
    from stainbridge.api import score_landmarks as score_landmarks
    from stainbridge.api import translate as translate
    from stainbridge.errors import InputError as InputError
    from stainbridge.errors import MissingExtraError as MissingExtraError
    from stainbridge.errors import MissingFileError as MissingFileError
    from stainbridge.errors import RegistrationError as RegistrationError
    from stainbridge.errors import StainbridgeError as StainbridgeError
    from stainbridge.geometry.files import read_transform as read_transform
    from stainbridge.geometry.files import write_transform as write_transform
    from stainbridge.geometry.frame import Frame as Frame
    from stainbridge.geometry.frame import Space as Space
    from stainbridge.geometry.landmarks import Landmarks as Landmarks
    from stainbridge.geometry.landmarks import read_points_csv as read_points_csv
    from stainbridge.geometry.landmarks import write_points_csv as write_points_csv
    from stainbridge.geometry.transform import Affine as Affine
    from stainbridge.geometry.transform import DisplacementField as DisplacementField
    from stainbridge.geometry.transform import Transform as Transform
    from stainbridge.imaging.image import Image as Image
    from stainbridge.phantom.pairs.pair import generate_pair as generate_pair
    from stainbridge.registration.config import RegisterConfig as RegisterConfig
    from stainbridge.registration.pieces.record import PieceRecord as PieceRecord
    from stainbridge.registration.result import Registration as Registration
    from stainbridge.registration.stages.affine import AffineConfig as AffineConfig
    from stainbridge.registration.stages.deformable import DeformableConfig as DeformableConfig
    from stainbridge.registration.stages.learned_affine import (
        LearnedAffineConfig as LearnedAffineConfig,
    )
    from stainbridge.registration.stages.learned_field import (
        LearnedFieldConfig as LearnedFieldConfig,
    )
    from stainbridge.registration.stages.record import StageRecord as StageRecord
    from stainbridge.registration.stages.search import SearchConfig as SearchConfig
    from stainbridge.registration.stages.tiles import TileRefinementConfig as TileRefinementConfig
    from stainbridge.registration.store import load as load
    from stainbridge.registration.verdict.evidence import Evidence as Evidence
    from stainbridge.registration.verdict.misfit import Misfit as Misfit
    from stainbridge.slides.coerce import as_slide as as_slide
    from stainbridge.slides.memory import ArraySlide as ArraySlide
    from stainbridge.slides.open import open_slide as open_slide
    from stainbridge.slides.slide import Slide as Slide
    from stainbridge.slides.warped import WarpedSlide as WarpedSlide
    from stainbridge.slides.writing.write import write_slide as write_slide

    __version__: str

#: The public names and the modules that they are imported from.
_HOMES = {
    # Register two slides; load a registration.
    "register": "stainbridge.api",
    "load": "stainbridge.registration.store",
    "Registration": "stainbridge.registration.result",
    # Configure a registration: presets, and the settings of each stage.
    "RegisterConfig": "stainbridge.registration.config",
    "SearchConfig": "stainbridge.registration.stages.search",
    "AffineConfig": "stainbridge.registration.stages.affine",
    "DeformableConfig": "stainbridge.registration.stages.deformable",
    "TileRefinementConfig": "stainbridge.registration.stages.tiles",
    "LearnedAffineConfig": "stainbridge.registration.stages.learned_affine",
    "LearnedFieldConfig": "stainbridge.registration.stages.learned_field",
    # Look into a registration.
    "PieceRecord": "stainbridge.registration.pieces.record",
    "StageRecord": "stainbridge.registration.stages.record",
    "Evidence": "stainbridge.registration.verdict.evidence",
    "Misfit": "stainbridge.registration.verdict.misfit",
    # Read and write slides.
    "open_slide": "stainbridge.slides.open",
    "write_slide": "stainbridge.slides.writing.write",
    "as_slide": "stainbridge.slides.coerce",
    "Slide": "stainbridge.slides.slide",
    "ArraySlide": "stainbridge.slides.memory",
    "WarpedSlide": "stainbridge.slides.warped",
    # Geometry: where pixels and points are, and how they move.
    "Space": "stainbridge.geometry.frame",
    "Frame": "stainbridge.geometry.frame",
    "Image": "stainbridge.imaging.image",
    "Transform": "stainbridge.geometry.transform",
    "Affine": "stainbridge.geometry.transform",
    "DisplacementField": "stainbridge.geometry.transform",
    "read_transform": "stainbridge.geometry.files",
    "write_transform": "stainbridge.geometry.files",
    "Landmarks": "stainbridge.geometry.landmarks",
    "read_points_csv": "stainbridge.geometry.landmarks",
    "write_points_csv": "stainbridge.geometry.landmarks",
    # Translate a slide to another stain.
    "translate": "stainbridge.api",
    # Generated tissue with exact truth.
    "generate_pair": "stainbridge.phantom.pairs.pair",
    # Evaluate a registration.
    "score_landmarks": "stainbridge.api",
    # Errors.
    "StainbridgeError": "stainbridge.errors",
    "InputError": "stainbridge.errors",
    "MissingFileError": "stainbridge.errors",
    "MissingExtraError": "stainbridge.errors",
    "RegistrationError": "stainbridge.errors",
}

__all__ = [  # noqa: RUF022 - in groups, what users call first
    # Register two slides; load a registration.
    "register",
    "load",
    "Registration",
    # Configure a registration: presets, and the settings of each stage.
    "RegisterConfig",
    "SearchConfig",
    "AffineConfig",
    "DeformableConfig",
    "TileRefinementConfig",
    "LearnedAffineConfig",
    "LearnedFieldConfig",
    # Look into a registration.
    "PieceRecord",
    "StageRecord",
    "Evidence",
    "Misfit",
    # Read and write slides.
    "open_slide",
    "write_slide",
    "as_slide",
    "Slide",
    "ArraySlide",
    "WarpedSlide",
    # Geometry: where pixels and points are, and how they move.
    "Space",
    "Frame",
    "Image",
    "Transform",
    "Affine",
    "DisplacementField",
    "read_transform",
    "write_transform",
    "Landmarks",
    "read_points_csv",
    "write_points_csv",
    # Translate a slide to another stain.
    "translate",
    # Generated tissue with exact truth.
    "generate_pair",
    # Evaluate a registration.
    "score_landmarks",
    # Errors.
    "StainbridgeError",
    "InputError",
    "MissingFileError",
    "MissingExtraError",
    "RegistrationError",
    # The version.
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("stainbridge")
    if name not in _HOMES:
        raise AttributeError(f"module 'stainbridge' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

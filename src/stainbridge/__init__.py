"""Align differently stained whole-slide images and use the result.

>>> import stainbridge
>>> registration = stainbridge.register("he.svs", "ki67.svs")  # doctest: +SKIP
>>> registration.warp_points([[1200, 3400]])  # doctest: +SKIP

Names are imported when they are first used, so that `import stainbridge` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stainbridge.api import register as register
    from stainbridge.errors import InputError as InputError
    from stainbridge.errors import MissingExtraError as MissingExtraError
    from stainbridge.errors import RegistrationError as RegistrationError
    from stainbridge.errors import StainbridgeError as StainbridgeError
    from stainbridge.registration.result import Registration as Registration
    from stainbridge.registration.store import load as load
    from stainbridge.slides.open import open_slide as open_slide

    __version__: str

_HOMES = {
    "InputError": "stainbridge.errors",
    "MissingExtraError": "stainbridge.errors",
    "Registration": "stainbridge.registration.result",
    "RegistrationError": "stainbridge.errors",
    "StainbridgeError": "stainbridge.errors",
    "load": "stainbridge.registration.store",
    "register": "stainbridge.api",
    "open_slide": "stainbridge.slides.open",
}

__all__ = [  # noqa: RUF022 - what users call comes first
    "register",
    "load",
    "open_slide",
    "Registration",
    "StainbridgeError",
    "InputError",
    "MissingExtraError",
    "RegistrationError",
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

"""The methods by name: those that come with stainbridge, and a user's own as MODULE:FUNCTION."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from stainbridge.errors import InputError
from stainbridge.evaluate.methods import elastix, external
from stainbridge.evaluate.methods.alignment import Align, Method
from stainbridge.evaluate.methods.features import FEATURES, RATIO, orb, sift
from stainbridge.evaluate.methods.intensity import IntensitySettings, intensity
from stainbridge.evaluate.methods.learned import LEARNED, settings_of, weights_of
from stainbridge.evaluate.methods.own import own
from stainbridge.evaluate.methods.presets import configured, identity, preset
from stainbridge.registration.config import PRESETS

ABOUT = {
    "identity": "no registration: corner on corner",
    "fast": "stainbridge, preset fast",
    "default": "stainbridge, preset default",
    "accurate": "stainbridge, preset accurate",
    "affine-net": "stainbridge, search and affine network alone",
    "affine-net+default": "stainbridge, preset default after the affine network",
    "multiscale-fcn": "stainbridge, preset default, bent by the multi-scale FCN alone",
    "fcn": "stainbridge, preset default, bent by the FCN alone",
    "dirnet": "stainbridge, preset default, bent by DIRNet alone",
    "unet-svf": "stainbridge, preset default, bent by the U-Net alone",
    "sift": "OpenCV SIFT, ratio test, RANSAC affine",
    "orb": "OpenCV ORB, mutual matches, RANSAC affine",
    "simpleitk-affine": "SimpleITK, Mattes mutual information, 12 start angles, affine",
    "simpleitk-bspline": "the same, then B-splines",
    "elastix": "elastix, its default maps: affine, B-splines, mutual information",
    "ants": "ANTs SyN, its defaults",
    "valis": "VALIS, its defaults",
    "deeperhistreg": "DeeperHistReg, its fast preset",
}


def method(name: str) -> Method:
    """The method of that name; raises `InputError` for one that does not exist."""
    if ":" in name:
        return own(name)
    if name not in ABOUT:
        expected = f"{', '.join(ABOUT)}, or your own as MODULE:FUNCTION"
        raise InputError("no such method", where=name, expected=expected)
    return _METHODS[name]()


def _plain(name: str, align: Align, **settings: object) -> Method:
    return Method(name, ABOUT[name], lambda: align, _nothing_missing, dict(settings))


def _preset(name: str) -> Method:
    return Method(
        name, ABOUT[name], partial(preset, name), _nothing_missing, PRESETS[name].to_dict()
    )


def _learned(name: str) -> Method:
    config = LEARNED[name]
    return Method(
        name,
        ABOUT[name],
        partial(configured, config),
        partial(weights_of, config),
        settings_of(config),
    )


def _intensity(name: str, deformable: bool) -> Method:
    settings = IntensitySettings(deformable)
    return Method(
        name, ABOUT[name], partial(intensity, settings), _nothing_missing, asdict(settings)
    )


def _elastix() -> Method:
    return Method("elastix", ABOUT["elastix"], elastix.elastix, elastix.check, elastix.SETTINGS)


def _external(name: str) -> Method:
    peer = external.PEERS[name]
    return Method(name, ABOUT[name], partial(external.external, name), peer.check, peer.settings)


def _nothing_missing() -> None:
    """What the method needs comes with stainbridge."""


_METHODS: dict[str, Callable[[], Method]] = {
    "identity": partial(_plain, "identity", identity),
    **{name: partial(_preset, name) for name in PRESETS},
    **{name: partial(_learned, name) for name in LEARNED},
    "sift": partial(_plain, "sift", sift, **FEATURES, ratio=RATIO),
    "orb": partial(_plain, "orb", orb, **FEATURES),
    "simpleitk-affine": partial(_intensity, "simpleitk-affine", False),
    "simpleitk-bspline": partial(_intensity, "simpleitk-bspline", True),
    "elastix": _elastix,
    **{name: partial(_external, name) for name in external.PEERS},
}

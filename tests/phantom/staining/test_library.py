"""The library of stains."""

from __future__ import annotations

import pytest

from stainbridge.errors import InputError
from stainbridge.phantom.staining.library import DYES, STAINS, find_stain


def test_every_stain_uses_known_dyes_and_is_found_in_any_case() -> None:
    assert all(DYES[dye.name] is dye for stain in STAINS.values() for dye in stain.dyes)
    assert find_stain("panck") is STAINS["PanCK"]
    with pytest.raises(InputError, match="HE"):
        find_stain("unheard of")

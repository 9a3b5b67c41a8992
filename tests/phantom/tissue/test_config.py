"""The settings of a block of tissue."""

from __future__ import annotations

import pytest

from stainbridge.errors import InputError
from stainbridge.phantom.tissue.config import TissueConfig


@pytest.mark.parametrize("fields", [{"width_um": 10}, {"fill": 2}])
def test_impossible_tissue_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(InputError):
        TissueConfig(**fields)  # type: ignore[arg-type]

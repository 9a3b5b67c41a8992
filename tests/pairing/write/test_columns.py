from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from stainbridge.pairing.config import THRESHOLD_ORDER, Thresholds
from stainbridge.pairing.patch import Patch, PatchScores
from stainbridge.pairing.write.columns import COLUMNS
from stainbridge.pairing.write.words import CONDITIONS, MEASURES

PAGE = Path(__file__).parents[3] / "docs" / "paired-sets.md"


def test_every_field_of_a_patch_has_a_column() -> None:
    own = {item.name for item in fields(Patch)} - {"scores"}
    scores = {item.name for item in fields(PatchScores)}
    assert {column.name for column in COLUMNS} >= own | scores


def test_every_threshold_has_words() -> None:
    names = {item.name for item in fields(Thresholds)}
    assert set(THRESHOLD_ORDER) == set(CONDITIONS) == set(MEASURES) == names


def test_the_page_lists_columns_and_thresholds_in_their_order() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.M)
    columns = [(column.name, column.meaning) for column in COLUMNS]
    assert listed[: len(columns)] == columns
    assert [name for name, _ in listed[len(columns) :]] == list(THRESHOLD_ORDER)

from __future__ import annotations

import csv
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from tests.pairing.write.patches import make_patches

from stainbridge.errors import InputError, MissingExtraError, MissingFileError
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.write.columns import COLUMNS
from stainbridge.pairing.write.manifest import read_patches, write_patches
from stainbridge.slides.patch_manifest import COLUMNS as SHARED_COLUMNS
from stainbridge.slides.patch_manifest import read_kept_patches

ENDINGS = ("csv", "parquet")


def comparable(patch: Patch) -> dict[str, Any]:
    """Return the fields of a patch with nan as text, since nan equals nothing."""
    values = asdict(patch)
    values |= values.pop("scores")
    return {
        name: "nan" if isinstance(value, float) and math.isnan(value) else value
        for name, value in values.items()
    }


@pytest.mark.parametrize("ending", ENDINGS)
def test_patches_come_back_as_they_were_written(tmp_path: Path, ending: str) -> None:
    patches = make_patches()
    patches[0] = replace(patches[0], label='2+, "odd" ½', fixed="a,\n b.svs", patient="007")
    path = tmp_path / f"manifest.{ending}"
    write_patches(path, patches)
    assert [comparable(patch) for patch in read_patches(path)] == [
        comparable(patch) for patch in patches
    ]
    assert any(math.isnan(patch.scores.residual_px) for patch in read_patches(path))


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_patches_give_the_same_bytes(tmp_path: Path, ending: str) -> None:
    paths = [tmp_path / f"{name}.{ending}" for name in ("one", "two")]
    for path in paths:
        write_patches(path, make_patches())
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_parquet_holds_types_nulls_and_the_meaning_of_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "manifest.parquet"
    write_patches(path, make_patches())
    table = parquet.read_table(path)
    assert table.column_names == [column.name for column in COLUMNS]
    assert str(table.schema.field("x_px").type) == "int64"
    assert str(table.schema.field("kept").type) == "bool"
    assert table.column("residual_px").null_count == 1
    assert table.schema.field("mpp").metadata[b"meaning"].startswith("µm per pixel".encode())


def test_the_manifest_tells_what_is_kept_and_where(tmp_path: Path) -> None:
    patches = make_patches()
    write_patches(tmp_path / "manifest.csv", patches)
    kept = read_kept_patches(tmp_path)
    assert [patch.name for patch in kept] == [patch.name for patch in patches if patch.is_kept]
    first = next(patch for patch in patches if patch.is_kept)
    assert kept[0].residual_px == first.scores.residual_px
    assert kept[0].residual_um == first.residual_um
    assert kept[0].fixed_file == Path("HE/train") / f"{first.name}.png"
    assert kept[0].moving_file == Path("IHC/train") / f"{first.name}.png"
    assert math.isnan(kept[-1].residual_um)  # the last slide states no pixel size


def test_a_dropped_patch_has_no_pictures(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    write_patches(path, make_patches())
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            pictures = [row["fixed_picture"], row["moving_picture"]]
            kept = [f"{side}/{row['split']}/{row['name']}.png" for side in ("HE", "IHC")]
            assert pictures == (kept if row["kept"] == "yes" else ["", ""])
            assert (row["dropped_for"] == "") == (row["kept"] == "yes")


def test_what_training_reads_is_among_the_columns() -> None:
    assert {column.name for column in COLUMNS} >= set(SHARED_COLUMNS)


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"stainbridge\[pairs\]"):
        write_patches(tmp_path / "manifest.parquet", make_patches())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("read", [read_patches, lambda path: read_kept_patches(path.parent)])
def test_a_missing_manifest_is_named(tmp_path: Path, read: Any) -> None:
    with pytest.raises(MissingFileError, match=r"manifest\.csv: no such file"):
        read(tmp_path / "manifest.csv")


@pytest.mark.parametrize("read", [read_patches, lambda path: read_kept_patches(path.parent)])
@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("residual_px", "residual", "columns are missing; expected residual_px"),
        ("0.", "O.", "not a number|cannot be read"),
        ("name,", "\x00\xff", "columns are missing|not a table"),
    ],
)
def test_a_spoilt_manifest_is_refused(
    tmp_path: Path, read: Any, before: str, after: str, message: str
) -> None:
    path = tmp_path / "manifest.csv"
    write_patches(path, make_patches())
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read(path)


@pytest.mark.parametrize(("before", "after"), [("train", "trial"), (",128,", ",half,")])
def test_values_outside_their_kind_are_refused(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "manifest.csv"
    write_patches(path, make_patches())
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    with pytest.raises(InputError, match=r"unknown split|cannot be read as int"):
        read_patches(path)


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "manifest.parquet"
    path.write_bytes(b"PAR1 but not really")
    with pytest.raises(InputError, match="not a Parquet file"):
        read_patches(path)

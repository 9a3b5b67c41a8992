from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tarfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import PIL.Image
import pytest
from tests.abandoned import leave_partial
from tests.pairing.write.patches import CONFIG, make_patches, write_pictures

from stainbridge.errors import InputError
from stainbridge.pairing.patch import Patch
from stainbridge.pairing.write.assemble import assemble_set
from stainbridge.pairing.write.manifest import read_patches
from stainbridge.pairing.write.shards import make_key, write_shards
from stainbridge.pairing.write.summary import SkippedPair

SKIPPED = (SkippedPair("e", "the slides could not be aligned | no tissue"),)


def read_bytes(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def patches() -> list[Patch]:
    return make_patches()


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory, patches: list[Patch]) -> Path:
    """The folder of a set as the cut leaves it: pictures and thumbnails."""
    folder = tmp_path_factory.mktemp("cut")
    write_pictures(folder, patches)
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, cut: Path, patches: list[Patch]) -> Path:
    """The folder of a set with all that it may hold."""
    folder = tmp_path_factory.mktemp("set")
    shutil.copytree(cut, folder, dirs_exist_ok=True)
    assemble_set(folder, patches, CONFIG, skipped=SKIPPED, shard_samples=10)
    return folder


@pytest.fixture
def own(tmp_path: Path, cut: Path) -> Path:
    """A folder of one's own as the cut leaves it."""
    return Path(shutil.copytree(cut, tmp_path / "own"))


def test_a_set_is_the_same_wherever_and_however_often_it_is_made(
    out: Path, own: Path, patches: list[Patch]
) -> None:
    for folder in (own, own / "HE" / "train"):
        leave_partial(folder)
    for shuffled in (patches[::-1], patches):
        assemble_set(own, shuffled, CONFIG, skipped=SKIPPED, shard_samples=10)
        assert read_bytes(own) == read_bytes(out)


def test_nothing_tells_of_the_time_or_the_machine(out: Path) -> None:
    for name in ("card.md", "contact-sheet.html", "manifest.csv"):
        text = (out / name).read_text(encoding="utf-8")
        assert str(out) not in text
        assert not re.search(r"20\d\d-\d\d-\d\d", text)


def test_both_manifests_hold_every_patch_row_by_row(out: Path, patches: list[Patch]) -> None:
    rows = read_patches(out / "manifest.csv")
    assert {patch.name for patch in rows} == {patch.name for patch in patches}
    assert [(patch.pair, patch.y_px, patch.x_px) for patch in rows] == sorted(
        (patch.pair, patch.y_px, patch.x_px) for patch in patches
    )
    pytest.importorskip("pyarrow")
    assert [patch.name for patch in read_patches(out / "manifest.parquet")] == [
        patch.name for patch in rows
    ]


def test_without_pyarrow_a_note_says_so_once(
    own: Path, patches: list[Patch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    notes: list[str] = []
    assemble_set(own, patches, CONFIG, note=notes.append)
    assert len(notes) == 1
    assert "pip install 'stainbridge[pairs]'" in notes[0]
    assert (own / "manifest.csv").is_file()
    assert not (own / "manifest.parquet").exists()


def test_the_digests_are_of_the_pictures_and_md5_of_the_set_is_theirs(
    out: Path, patches: list[Patch]
) -> None:
    lines = (out / "MD5SUMS").read_text(encoding="utf-8").splitlines()
    names = [line.split("  ")[1] for line in lines]
    assert names == sorted(names)
    assert len(names) == 2 * sum(patch.is_kept for patch in patches)
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.md5((out / name).read_bytes()).hexdigest() == digest
    md5 = hashlib.md5((out / "MD5SUMS").read_bytes()).hexdigest()
    assert f"`{md5}`" in (out / "card.md").read_text(encoding="utf-8")


def test_another_picture_changes_the_md5_and_another_path_does_not(
    own: Path, patches: list[Patch], out: Path
) -> None:
    moved = [replace(patch, fixed=f"elsewhere/{patch.fixed}") for patch in patches]
    md5 = assemble_set(own, moved, CONFIG).md5
    assert f"`{md5}`" in (out / "card.md").read_text(encoding="utf-8")
    first = next(patch for patch in patches if patch.is_kept)
    PIL.Image.new("RGB", (64, 64)).save(own / "HE" / first.split / f"{first.name}.png")
    assert assemble_set(own, moved, CONFIG).md5 != md5


def test_the_card_counts_by_split_label_verdict_and_threshold(
    out: Path, patches: list[Patch]
) -> None:
    card = (out / "card.md").read_text(encoding="utf-8")
    kept = [patch for patch in patches if patch.is_kept]
    dropped = len(patches) - len(kept)
    assert f"holds {len(kept)} pairs of patches from 4 slide pairs of 3 patients" in card
    assert f"Another {dropped} patches" in card
    train = sum(patch.split == "train" for patch in kept)
    assert f"| train | 1 | 2 | {train} | {16 - train} |" in card
    assert "| test | 1 | 1 | 8 | 0 |" in card
    assert "| 3+ | 1 | 1 | 8 | 0 |" in card
    assert "| none | 1 | 1 |" in card  # the label that was not given
    assert "| fallback | 1 | 1 |" in card
    assert "| `min_tissue` | tissue at least 50 % | 1 | 1 |" in card
    assert "| `max_residual_px` | residual at most 4 px | 2 | 2 |" in card
    assert "| e | the slides could not be aligned \\| no tissue |" in card
    assert "64 × 64 px, 0.5 µm per pixel" in card
    assert "max_residual_px: 4.0" in card
    assert re.search(r"\| stainbridge \| \d", card)


def test_every_threshold_that_drops_a_patch_has_a_picture(out: Path, patches: list[Patch]) -> None:
    reasons = {patch.dropped_for for patch in patches if not patch.is_kept}
    assert {path.stem for path in (out / "thresholds").iterdir()} == reasons
    assert len(reasons) == 5


def test_the_picture_of_a_threshold_that_drops_nothing_goes(
    own: Path, patches: list[Patch]
) -> None:
    assemble_set(own, patches, CONFIG)
    fewer = [patch for patch in patches if patch.dropped_for != "max_pen"]
    assemble_set(own, fewer, CONFIG)
    assert not (own / "thresholds" / "max_pen.jpg").exists()
    assert (own / "thresholds" / "max_fold.jpg").exists()


def test_shards_hold_each_kept_pair_once_as_consecutive_files(
    out: Path, patches: list[Patch]
) -> None:
    seen: list[str] = []
    for path in sorted((out / "shards").iterdir()):
        with tarfile.open(path) as archive:
            members = archive.getmembers()
            assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {
                (0, 0, 0, "", "")
            }
            for he, ihc, row in zip(members[::3], members[1::3], members[2::3], strict=True):
                key = row.name.removesuffix(".json")
                assert (he.name, ihc.name) == (f"{key}.he.png", f"{key}.ihc.png")
                values = json.loads(archive.extractfile(row).read())  # type: ignore[union-attr]
                picture = archive.extractfile(he).read()  # type: ignore[union-attr]
                assert picture == (out / values["fixed_picture"]).read_bytes()
                assert values["split"] == path.name.split("-")[0]
                seen.append(values["name"])
        assert len(members) <= 30
    assert sorted(seen) == sorted(patch.name for patch in patches if patch.is_kept)
    pairs = [name.split("_")[0] for name in seen if name[0] in "ab"]
    changes = sum(one != other for one, other in pairwise(pairs))
    assert changes > 2  # the slides of a split are mixed


def test_shards_that_a_smaller_set_does_not_have_go(own: Path, patches: list[Patch]) -> None:
    write_shards(own, patches, samples=4)
    (own / "shards" / "notes.txt").write_text("mine")
    write_shards(own, patches, samples=1000)
    assert sorted(path.name for path in (own / "shards").iterdir()) == [
        "notes.txt",
        "test-000000.tar",
        "train-000000.tar",
        "val-000000.tar",
    ]


def test_keys_of_shards_hold_no_dot_and_stay_apart() -> None:
    names = ["slide.1_0_0", "slide%2E1_0_0", "slide_1_0_0"]
    keys = [make_key(name) for name in names]
    assert len(set(keys)) == 3
    assert not any("." in key for key in keys)


def test_a_shard_without_samples_is_refused_before_anything_is_written(
    tmp_path: Path, patches: list[Patch]
) -> None:
    with pytest.raises(InputError, match="too few samples in a shard; expected at least 1; got 0"):
        assemble_set(tmp_path, patches, CONFIG, shard_samples=0)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_and_a_strange_picture_are_named(own: Path, patches: list[Patch]) -> None:
    first = next(patch for patch in patches if patch.is_kept)
    path = own / "IHC" / first.split / f"{first.name}.png"
    path.rename(path.with_name("mine.png"))
    with pytest.raises(
        InputError, match=rf"{re.escape(first.name)}\.png: a picture of the set is missing"
    ):
        assemble_set(own, patches, CONFIG)
    path.with_name("mine.png").rename(path)
    (own / "HE" / "val" / "mine.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"mine\.png: a picture that no patch of the set names"):
        assemble_set(own, patches, CONFIG)

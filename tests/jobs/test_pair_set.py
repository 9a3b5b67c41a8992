"""Building a paired set: the same bytes however often it is interrupted, and nothing by mistake."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.abandoned import leave_partial

from stainbridge.errors import InputError
from stainbridge.geometry.files import read_transform, write_transform
from stainbridge.geometry.transform import Affine
from stainbridge.jobs import pairs
from stainbridge.jobs.pair_set import PairSetJob
from stainbridge.jobs.pairs import PairsJob
from stainbridge.pairing import cut
from stainbridge.pairing.alignment import Alignment, ErrorMap
from stainbridge.pairing.config import PairingConfig, Thresholds
from stainbridge.pairing.cut import CutPatch, write_pictures
from stainbridge.pairing.write.manifest import read_patches
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.registration.result import Registration
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Slide

#: How far the moving slides' tissue lies to the right and down, in pixels.
SHIFT_PX = (12, 7)
CONFIG = PairingConfig(patch_px=64, thresholds=Thresholds(max_residual_px=64, max_blur_px=64))


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two slide pairs with their exact transforms, and their manifest."""
    folder = tmp_path_factory.mktemp("slides")
    lines = ["id,patient,split,fixed,moving,label,transform"]
    for name, split in (("a", "train"), ("b", "test")):
        slide = generate_pair(seed=ord(name), size_px=256, mpp=6.0, difficulty="easy").fixed
        pixels = np.moveaxis(slide.read(slide.frame).pixels, 0, -1)
        moved = np.roll(pixels, SHIFT_PX, (1, 0)) // 8 * 8
        for side, picture in (("fixed", pixels), ("moving", moved)):
            PIL.Image.fromarray(picture).save(folder / f"{name}_{side}.png")
        paths = folder / f"{name}_fixed.png", folder / f"{name}_moving.png"
        with open_slide(paths[0]) as fixed, open_slide(paths[1]) as moving:
            matrix = np.array([[1, 0, SHIFT_PX[0]], [0, 1, SHIFT_PX[1]], [0, 0, 1.0]])
            transform = Affine(matrix, fixed.frame.space, moving.frame.space)
            write_transform(folder / f"{name}.h5", transform)
        lines.append(f"{name},p{name},{split},{paths[0].name},{paths[1].name},2+,{name}.h5")
    (folder / "slides.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def job(slides: Path, tmp_path_factory: pytest.TempPathFactory) -> PairSetJob:
    """A request whose set is built."""
    out = tmp_path_factory.mktemp("out") / "set"
    made = PairSetJob(out=out, manifest=slides / "slides.csv", config=CONFIG, workers=1)
    made.run()
    return made


@pytest.fixture
def own(job: PairSetJob, tmp_path: Path) -> PairSetJob:
    """The request for a copy of the built set, to do things to."""
    shutil.copytree(job.out, tmp_path / "set")
    return replace(job, out=tmp_path / "set")


def read_bytes(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
    }


def test_pictures_of_one_name_show_one_place(job: PairSetJob, slides: Path) -> None:
    patches = read_patches(job.out / "manifest.csv")
    kept = [patch for patch in patches if patch.is_kept]
    assert {patch.split for patch in kept} == {"train", "test"}
    source = np.asarray(PIL.Image.open(slides / "a_fixed.png"))
    for patch in (patch for patch in kept if patch.pair == "a"):
        assert patch.name == f"a_{patch.x_px}_{patch.y_px}_2+"
        fixed, moving = (
            np.asarray(PIL.Image.open(job.out / folder / "train" / f"{patch.name}.png"))
            for folder in ("HE", "IHC")
        )
        crop = source[patch.y_px :, patch.x_px :][:64, :64]
        np.testing.assert_array_equal(fixed, crop)
        np.testing.assert_allclose(moving, crop // 8 * 8, atol=1)
        assert patch.moving_x_px == pytest.approx(patch.x_px + 32 + SHIFT_PX[0])
        assert patch.moving_y_px == pytest.approx(patch.y_px + 32 + SHIFT_PX[1])


def test_what_an_alignment_does_not_know_reaches_every_patch(
    job: PairSetJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = pairs._read_alignment

    def read_unsure(path: Path, fixed: Slide, moving: Slide) -> Alignment:
        grid = fixed.frame.fit(4)
        error = ErrorMap(np.full((grid.height, grid.width), 20.0, np.float32), grid)
        return replace(read(path, fixed, moving), error=error)

    monkeypatch.setattr(pairs, "_read_alignment", read_unsure)
    unsure = replace(job, out=tmp_path / "set")
    unsure.run()
    residuals = [patch.scores.residual_px for patch in read_patches(unsure.out / "manifest.csv")]
    assert np.nanmin(residuals) >= 20


def test_the_same_work_is_not_done_again(own: PairSetJob) -> None:
    before = read_bytes(own.out)
    lines: list[str] = []
    outcome = own.run(note=lines.append)
    assert outcome.is_already_done
    assert outcome.cut == 0
    assert outcome.kept == sum(name.startswith("HE/") for name in before)
    assert lines == [f"already done: {own.out}"]
    assert read_bytes(own.out) == before


@pytest.mark.parametrize("survived", [0, 3])
def test_an_interrupted_run_resumes_to_the_same_bytes(
    job: PairSetJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    own = replace(job, out=tmp_path / "set")
    written = []

    def write_some(item: CutPatch, out: Path) -> None:
        if len(written) == survived:
            raise KeyboardInterrupt
        written.append(item)
        write_pictures(item, out)

    with monkeypatch.context() as patch:
        patch.setattr(cut, "write_pictures", write_some)
        with pytest.raises(KeyboardInterrupt):
            own.run()
    assert not list(own.out.rglob("*.partial*"))
    assert not (own.out / "card.md").exists()
    leave_partial(own.out / "HE" / "train")
    (own.out / "HE" / "train" / "a_999_999_2+.png").write_bytes(b"of a run that was killed")
    own.run()
    assert read_bytes(own.out) == read_bytes(job.out)


def test_a_lost_picture_is_cut_again(own: PairSetJob, job: PairSetJob) -> None:
    next((own.out / "IHC" / "test").iterdir()).unlink()
    outcome = own.run()
    assert [pair.is_already_done for pair in outcome.pairs] == [True, False]
    assert read_bytes(own.out) == read_bytes(job.out)


def test_other_settings_need_leave(own: PairSetJob) -> None:
    before = read_bytes(own.out)
    other = replace(own, config=replace(CONFIG, patch_px=96))
    with pytest.raises(InputError, match=r"settings \(patch_px\).*--overwrite"):
        other.run()
    assert read_bytes(own.out) == before
    (own.out / "notes.txt").write_text("mine")
    replace(other, overwrite=True).run()
    picture = next((own.out / "HE" / "train").iterdir())
    with PIL.Image.open(picture) as opened:
        assert opened.size == (96, 96)
    assert (own.out / "notes.txt").read_text() == "mine"


def test_a_folder_of_other_files_is_refused(job: PairSetJob, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="not empty"):
            replace(job, out=tmp_path, overwrite=overwrite).run()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_pair_that_cannot_be_used_is_named_and_skipped(slides: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    table = tmp_path / "slides.csv"
    table.write_text(
        "id,patient,fixed,moving,transform\n"
        f"a,p,{slides}/a_fixed.png,{slides}/a_moving.png,{slides}/a.h5\n"
        f"bad,q,bad.png,{slides}/b_moving.png,{slides}/b.h5\n"
    )
    lines: list[str] = []
    job = PairSetJob(out=tmp_path / "set", manifest=table, config=CONFIG, workers=1)
    outcome = job.run(note=lines.append)
    assert [pair.id for pair in outcome.skipped] == ["bad"]
    assert any(line.startswith("skipped: bad: ") and "bad.png" in line for line in lines)
    assert outcome.kept > 0
    assert "bad.png" in (tmp_path / "set" / "card.md").read_text()
    assert job.run().is_already_done


def test_nothing_is_left_where_no_pair_can_be_used(slides: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    job = PairSetJob(
        out=tmp_path / "set", fixed=tmp_path / "bad.png", moving=slides / "a_moving.png"
    )
    outcome = job.run()
    assert outcome.kept == 0
    assert outcome.md5 == ""
    record = json.loads((tmp_path / "set" / "slides" / "bad" / "pair.json").read_text())
    assert record["status"] == "failed"
    assert "bad.png" in record["reason"]


def test_records_tell_nothing_of_time(job: PairSetJob) -> None:
    for path in job.out.rglob("*.json"):
        assert "seconds" not in path.read_text()


def test_a_changed_slide_is_cut_again(job: PairSetJob, slides: Path, tmp_path: Path) -> None:
    shutil.copytree(slides, tmp_path / "slides")
    own = replace(job, out=tmp_path / "set", manifest=tmp_path / "slides" / "slides.csv")
    own.run()
    picture = tmp_path / "slides" / "b_fixed.png"
    pixels = np.asarray(PIL.Image.open(picture)).copy()
    pixels[::2] = 255 - pixels[::2] // 2
    PIL.Image.fromarray(pixels).save(picture)
    outcome = own.run()
    assert [pair.is_already_done for pair in outcome.pairs] == [True, False]


def test_threads_do_not_change_the_bytes(job: PairSetJob, tmp_path: Path) -> None:
    (pair, *_) = job.list_pairs()
    for threads in (1, 3):
        out = tmp_path / str(threads)
        PairsJob(pair=pair, out=out, config=CONFIG, threads=threads).run()
    assert read_bytes(tmp_path / "1") == read_bytes(tmp_path / "3")


@pytest.mark.slow
def test_processes_do_not_change_the_bytes(job: PairSetJob, tmp_path: Path) -> None:
    own = replace(job, out=tmp_path / "set", workers=2)
    fractions: list[float] = []
    own.run(progress=lambda _, fraction: fractions.append(fraction))
    assert read_bytes(own.out) == read_bytes(job.out)
    assert fractions[-1] == 1.0


def test_masks_and_results_of_register_are_used(slides: Path, tmp_path: Path) -> None:
    mask = np.zeros((256, 256), np.uint8)
    mask[:, SHIFT_PX[0] : SHIFT_PX[0] + 128] = 255
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    with open_slide(slides / "a_fixed.png") as fixed, open_slide(slides / "a_moving.png") as moving:
        transform = read_transform(slides / "a.h5", fixed.frame.space, moving.frame.space)
        registration = Registration(
            fixed=fixed.frame,
            moving=moving.frame,
            status="fallback",
            reason="made by hand",
            stages=(),
            seconds=1.0,
            predicted_rtre=0.01,
            seed=0,
            config={},
            solution=transform,
        )
        registration.save(tmp_path / "result", fixed, moving)
    job = PairSetJob(
        out=tmp_path / "set",
        fixed=slides / "a_fixed.png",
        moving=slides / "a_moving.png",
        single={"transform": tmp_path / "result", "moving_mask": tmp_path / "mask.png"},
        config=replace(CONFIG, thresholds=replace(CONFIG.thresholds, min_tissue=0.4)),
    )
    assert job.run().kept > 0
    patches = read_patches(tmp_path / "set" / "manifest.csv")
    assert {patch.status for patch in patches} == {"fallback"}
    assert {patch.dropped_for for patch in patches if patch.x_px >= 128} == {"min_tissue"}
    assert any(patch.is_kept for patch in patches if patch.x_px < 128)

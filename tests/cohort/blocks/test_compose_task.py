"""Slides of a block are aligned through others, with the error of every loop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.cohort.blocks.block import Block, BlockSlide
from stainbridge.cohort.blocks.task import ComposeTask
from stainbridge.cohort.folder import CohortFolder
from stainbridge.cohort.options import CaseOptions
from stainbridge.cohort.task import Finished, Times
from stainbridge.geometry.frame import Space
from stainbridge.geometry.transform import Affine
from stainbridge.registration.result import Registration
from stainbridge.registration.store import load

SIDE = 200
TOKEN = "00000001"
#: By how much each slide is shifted to the right, in pixels.
SHIFTS = {"he": 0, "er": 20, "ki67": -10}


@dataclass(frozen=True)
class Scene:
    block: Block
    folder: CohortFolder

    def publish(self, fixed: str, moving: str, status: str, rtre: float, wrong_px: float) -> None:
        """Publish the registration of two slides that is off by some pixels to the right."""
        spaces = [Space(name, SIDE, SIDE, calibrated=False) for name in (fixed, moving)]
        matrix = np.eye(3)
        matrix[0, 2] = SHIFTS[moving] - SHIFTS[fixed] + wrong_px
        first, second = (self.block.find(name) for name in (fixed, moving))
        task = self.block.name_pair(first, second)
        partial = self.folder.begin(task, "key", TOKEN)
        if status != "failed":
            Registration(
                fixed=spaces[0].frame,
                moving=spaces[1].frame,
                status=status,  # type: ignore[arg-type]
                reason="",
                stages=(),
                seconds=0.0,
                predicted_rtre=rtre,
                seed=0,
                config={},
                solution=Affine(matrix, *spaces),
            ).save(partial, first.path, second.path)
        kind = "registration" if status == "failed" else ""
        finished = Finished(task, "key", status, kind, "", {})  # type: ignore[arg-type]
        self.folder.publish(finished, Times(1.0, 1.0, 1.0, 1, ""), TOKEN)

    def align(self, name: str, out: Path) -> tuple[Registration, Mapping[str, object]]:
        out.mkdir()
        task = ComposeTask(self.block, name, CaseOptions(report=False), self.folder.path)
        result = task.run(out)
        assert result.status == load(out).status
        return load(out), result.facts | {"reason": result.reason}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    slides = []
    generator = np.random.default_rng(0)
    tissue = generator.integers(60, 160, (80, 80, 3), np.uint8)
    for name, shift in SHIFTS.items():
        picture = np.full((SIDE, SIDE, 3), 240, np.uint8)
        picture[60:140, 60 + shift : 140 + shift] = tissue
        path = tmp_path / f"{name}.png"
        PIL.Image.fromarray(picture).save(path)
        slides.append(BlockSlide(name=name, path=path))
    folder = CohortFolder(tmp_path / "cohort")
    folder.make()
    return Scene(Block("b1", tuple(slides)), folder)


def shift_of(registration: Registration) -> float:
    points = np.array([[100.0, 100.0]])
    return float((registration.transform(points) - points)[0, 0])


def test_a_good_direct_registration_stands_and_its_loop_is_measured(
    scene: Scene, tmp_path: Path
) -> None:
    scene.publish("he", "er", "ok", 0.002, 0.0)
    scene.publish("he", "ki67", "ok", 0.002, 1.0)
    scene.publish("er", "ki67", "ok", 0.002, 2.0)
    registration, facts = scene.align("er", tmp_path / "er")
    assert shift_of(registration) == pytest.approx(20)
    assert facts["through"] == ""
    assert registration.reason == "aligned directly"
    # Through ki67 the shift is 1 px more there, and 2 px less on the way back.
    assert facts["loop_rtre"] == pytest.approx(1 / registration.fixed.diagonal_um, rel=1e-3)
    assert (tmp_path / "er" / "overlay.jpg").is_file()


def test_a_slide_that_only_works_through_another_says_so(scene: Scene, tmp_path: Path) -> None:
    scene.publish("he", "er", "failed", 0.0, 0.0)
    scene.publish("he", "ki67", "ok", 0.003, 0.0)
    scene.publish("er", "ki67", "ok", 0.004, 0.0)
    registration, facts = scene.align("er", tmp_path / "er")
    assert shift_of(registration) == pytest.approx(20)  # and back along er to ki67
    assert facts["through"] == "ki67"
    assert registration.reason == "aligned through ki67: the direct registration failed"
    assert registration.predicted_rtre == pytest.approx(0.005)
    assert facts["loop_rtre"] is None


def test_a_doubtful_link_makes_a_doubtful_chain(scene: Scene, tmp_path: Path) -> None:
    scene.publish("he", "er", "failed", 0.0, 0.0)
    scene.publish("he", "ki67", "fallback", 0.003, 0.0)
    scene.publish("er", "ki67", "ok", 0.004, 0.0)
    assert scene.align("er", tmp_path / "er")[0].status == "fallback"


def test_a_slide_that_nothing_leads_to_fails(scene: Scene, tmp_path: Path) -> None:
    scene.publish("he", "er", "failed", 0.0, 0.0)
    scene.publish("he", "ki67", "ok", 0.003, 0.0)
    scene.publish("er", "ki67", "failed", 0.0, 0.0)
    task = ComposeTask(scene.block, "er", CaseOptions(), scene.folder.path)
    result = task.run(tmp_path)
    assert result.status == "failed"
    assert result.reason == "no chain of registrations leads from he to er"


def test_the_key_follows_the_slides(scene: Scene) -> None:
    task = ComposeTask(scene.block, "er", CaseOptions(), scene.folder.path)
    assert task.needs == ("b1.er-on-he", "b1.ki67-on-he", "b1.ki67-on-er")
    key = task.make_key()
    assert task.make_key() == key
    with scene.block.find("ki67").path.open("ab") as file:
        file.write(b"more")
    assert task.make_key() != key


def test_annotations_are_carried_through_a_chain_and_the_slide_is_written(
    scene: Scene, tmp_path: Path
) -> None:
    place = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [100, 100]}}
    source = tmp_path / "place.geojson"
    source.write_text(json.dumps({"type": "FeatureCollection", "features": [place]}))
    he, er, ki67 = scene.block.slides
    asked = (replace(he, annotations=source), replace(er, annotations=source, write_slide=True))
    chained = Scene(Block("b1", (*asked, ki67)), scene.folder)
    chained.publish("he", "er", "failed", 0.0, 0.0)
    chained.publish("he", "ki67", "ok", 0.003, 0.0)
    chained.publish("er", "ki67", "ok", 0.004, 0.0)
    chained.align("er", tmp_path / "er")
    for name, x in (("fixed-on-moving", 120), ("moving-on-fixed", 80)):
        carried = json.loads((tmp_path / "er" / f"{name}.geojson").read_text())
        geometry = carried["features"][0]["geometry"]
        assert geometry["coordinates"] == pytest.approx([x, 100])
    assert (tmp_path / "er" / "warped.ome.tiff").is_file()

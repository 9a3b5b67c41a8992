from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stainbridge.datasets.generated_truth import (
    PAIR_FIELDS,
    add_classes,
    read_generated_cases,
    render_same_stain,
    same_stain_opener,
)
from stainbridge.datasets.layouts import read_data_set
from stainbridge.errors import InputError
from stainbridge.jobs.phantom import PhantomJob
from stainbridge.metrics.images import score_images
from stainbridge.phantom.pairs.pair import generate_pair


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms") / "set"
    PhantomJob(out=folder, cases=1, size_px=192, mpp=8.0, stains="he,ki67", seed=5).run()
    return folder


def test_the_fixed_section_is_generated_again_where_it_lies(phantoms: Path) -> None:
    (case,) = read_data_set(phantoms).cases
    record = read_generated_cases(phantoms)["case_000"]
    with case.open_fixed() as fixed:
        stored = fixed.read(fixed.frame).pixels
    own = {**record, "moving_stain": record["fixed_stain"]}
    with same_stain_opener(own)() as again:
        assert score_images(stored, again.read(again.frame).pixels).ncc > 0.98
    with same_stain_opener(record)() as other:
        assert other.stain == record["moving_stain"]
        scores = score_images(stored, other.read(other.frame).pixels)
    assert 0.3 < scores.ncc < 0.98


def test_its_classes_do_not_depend_on_the_stain(phantoms: Path) -> None:
    (case,) = read_data_set(phantoms).cases
    record = read_generated_cases(phantoms)["case_000"]
    with_classes = add_classes(case, record, phantoms)
    assert with_classes.open_fixed_labels is not None
    with with_classes.open_fixed_labels() as slide:
        labels = slide.read(slide.frame).pixels[0]
    settings = {name: record[name] for name in PAIR_FIELDS}
    other = generate_pair(**{**settings, "fixed_stain": record["moving_stain"]}).fixed
    assert len(np.unique(labels)) > 2
    assert np.array_equal(labels, other.classes.read(other.frame).pixels[0])


def test_labels_of_a_case_are_kept(phantoms: Path) -> None:
    (case,) = read_data_set(phantoms).cases
    record = read_generated_cases(phantoms)["case_000"]
    labelled = add_classes(case, record, phantoms)
    assert add_classes(labelled, record, phantoms) is labelled
    assert add_classes(case, {}, phantoms) is case


def test_other_data_sets_have_no_generated_cases(tmp_path: Path) -> None:
    assert read_generated_cases(tmp_path) == {}
    (tmp_path / "cases.json").write_text('[{"case": "one"}]')
    with pytest.raises(InputError, match=r"not a generated case.*seed"):
        read_generated_cases(tmp_path)
    (tmp_path / "cases.json").write_text("[")
    with pytest.raises(InputError, match="not the cases of a generated data set"):
        read_generated_cases(tmp_path)


def test_what_makes_no_pair_is_refused() -> None:
    settings = {"seed": 0, "size_px": 192, "mpp": 8.0, "moving_stain": "Nonsense"}
    with pytest.raises(InputError):
        render_same_stain(settings)

"""The run of damaged inputs works, and sees each kind of fault."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from benchmarks.fuzz.damage import BYTE_DAMAGE, damage_values
from benchmarks.fuzz.verdicts import judge

GOOD: dict[str, Any] = {
    "code": 2,
    "said": "error: /tmp/a.tif: damaged; make it again\n",
    "hung": False,
    "cpu_s": 0.1,
    "megabytes": 1,
    "left": [],
}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"code": None}, "crash"),
        ({"code": None, "hung": True}, "hang"),
        ({"cpu_s": 20.5}, "hang"),
        ({"megabytes": 1025}, "memory"),
        ({"code": 1, "said": "error: unexpected KeyError; please report it"}, "unexpected"),
        ({"left": [".partial"]}, "half file"),
        ({"code": 0, "said": ""}, "wrongly accepted"),
        ({"said": "error: damaged\n"}, "foreign words"),
        ({"said": "HDF5-DIAG: x\nerror: /tmp/a.tif: damaged\n"}, "foreign words"),
    ],
)
def test_each_fault_is_seen(changes: dict[str, Any], fault: str) -> None:
    assert judge(GOOD | changes, "/tmp", must_refuse=True) == fault


@pytest.mark.parametrize("way", BYTE_DAMAGE, ids=lambda way: way.__name__)
def test_a_seed_gives_the_same_damage(way: Any) -> None:
    data = bytes(range(256)) * 20
    first = way(data, random.Random("1:7"))
    assert first == way(data, random.Random("1:7"))
    assert any(way(data, random.Random(seed)) != data for seed in range(5))


@pytest.mark.parametrize(
    ("suffix", "text"),
    [(".json", '{"a": [1, {"b": 2}]}'), (".yaml", "a: 1\nb: [1, 2]\n"), (".csv", "X,Y\n1,2\n")],
)
def test_values_are_damaged_in_text_that_stays_text(suffix: str, text: str) -> None:
    damaged = [damage_values(text.encode(), random.Random(seed), suffix) for seed in range(20)]
    assert len(set(damaged)) > 10
    for content in damaged:
        content.decode()


def test_samples_are_accepted_as_they_are(tmp_path: Path) -> None:
    from benchmarks.fuzz.samples import INPUT, OUT, make_samples

    from stainbridge.cli.main import run

    samples = make_samples(tmp_path / "samples")
    assert len({sample.kind for sample in samples}) > 30
    for sample in samples:
        if sample.kind in ("points", "geojson", "record"):
            out = tmp_path / sample.kind
            out.mkdir()
            place = str(sample.folder or sample.path)
            words = [word.replace(OUT, str(out)) for word in sample.command]
            assert run([place if word == INPUT else word for word in words]) == 0
    assert json.loads((tmp_path / "geojson" / "a.geojson").read_text())["type"]

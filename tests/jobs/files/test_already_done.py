"""What was asked for before is known by what it came of."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from stainbridge.jobs.files.already_done import (
    came_of,
    digest_job,
    digest_request,
    holds,
    mark_request,
)


@dataclass(frozen=True)
class Job:
    slide: Path
    out: Path
    quality: int = 85
    threads: int | None = None
    overwrite: bool = False


def test_a_marked_file_came_of_its_request_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"pixels")
    digest = digest_request({"quality": 85, "crop": "fixed"})
    assert digest == digest_request({"crop": "fixed", "quality": 85})
    assert not came_of(path, digest)
    mark_request(path, digest)
    assert came_of(path, digest)
    assert not came_of(path, digest_request({"quality": 86, "crop": "fixed"}))
    path.write_bytes(path.read_bytes()[:-1])
    assert not came_of(path, digest)
    assert not came_of(tmp_path / "missing.tif", digest)


def test_a_marked_zarr_came_of_its_request_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    path.mkdir()
    assert not came_of(path, "one")
    (path / "zarr.json").write_text('{"node_type": "group", "attributes": {"ome": {"a": 1}}}')
    assert not came_of(path, "one")
    mark_request(path, "one")
    assert came_of(path, "one")
    assert not came_of(path, "two")
    node = json.loads((path / "zarr.json").read_text())
    assert node["attributes"]["ome"] == {"a": 1}
    for damaged in ("", "[]", '{"attributes": []}', '{"attributes": null}'):
        (path / "zarr.json").write_text(damaged)
        assert not came_of(path, "one")


def test_settings_and_inputs_count_and_names_of_outputs_do_not(tmp_path: Path) -> None:
    slide = tmp_path / "he.svs"
    slide.write_bytes(b"one")
    job = Job(slide, tmp_path / "a.tif")

    def digest(job: Job) -> str:
        return digest_job(job, {"slide": job.slide})

    before = digest(job)
    same = replace(job, out=tmp_path / "b.tif", threads=3, overwrite=True)
    assert digest(same) == before
    assert digest(replace(job, quality=90)) != before
    slide.write_bytes(b"two")
    assert digest(job) != before


def test_a_file_holds_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert not holds(path, b"x")
    path.write_bytes(b"x,y\n")
    assert holds(path, b"x,y\n")
    assert not holds(path, b"x,z\n")

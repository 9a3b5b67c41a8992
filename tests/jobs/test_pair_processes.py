"""Jobs of slide pairs in processes of their own: one that is killed costs nobody else anything."""

from __future__ import annotations

from pathlib import Path

from tests.jobs.killed_job import KilledJob

from stainbridge.jobs.pair_processes import run_in_processes
from stainbridge.jobs.pairs import PairsOutcome
from stainbridge.pairing.config import PairingConfig
from stainbridge.pairing.source import SlidePair
from stainbridge.progress import ignore_note, ignore_progress


def test_a_killed_process_is_a_failed_pair_and_leaves_nothing(tmp_path: Path) -> None:
    other = tmp_path / "HE" / "train" / "b_0_64.png"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"of another pair")
    pair = SlidePair(id="a", patient="p", split="train", fixed=Path("he"), moving=Path("ihc"))
    outcomes: list[PairsOutcome] = []
    job = KilledJob(pair=pair, out=tmp_path, config=PairingConfig())
    run_in_processes([job], 1, ignore_progress, ignore_note, outcomes.append)
    assert [(each.id, each.status) for each in outcomes] == [("a", "failed")]
    assert outcomes[0].reason == "its process was killed by SIGKILL"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [other]

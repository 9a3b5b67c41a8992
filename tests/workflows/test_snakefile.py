"""The Snakemake rule registers every case, and gathers them."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stainbridge.jobs.phantom import PhantomJob

SNAKEMAKE = shutil.which("snakemake")
SNAKEFILE = Path(__file__).parents[2] / "workflows" / "Snakefile"


@pytest.mark.slow
@pytest.mark.skipif(SNAKEMAKE is None, reason="snakemake is not installed: pip install snakemake")
def test_every_case_is_registered_and_gathered(tmp_path: Path) -> None:
    assert SNAKEMAKE is not None
    PhantomJob(out=tmp_path / "data", cases=2, size_px=256, difficulty="easy").run()
    commands = tmp_path / "bin"
    commands.mkdir()
    words = f'exec {sys.executable} -c "from stainbridge.cli.main import main; main()" "$@"'
    (commands / "stainbridge").write_text(f"#!/bin/sh\n{words}\n")
    (commands / "stainbridge").chmod(0o755)
    settings = ["manifest=data/pairs.csv", "out=cohort", "options=--preset fast --no-report"]
    subprocess.run(
        [SNAKEMAKE, "--snakefile", SNAKEFILE, "--cores", "1", "--config", *settings],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        check=True,
    )
    with (tmp_path / "cohort" / "cohort.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == ["case_000", "case_001"]
    assert (tmp_path / "cohort" / "cohort.html").is_file()

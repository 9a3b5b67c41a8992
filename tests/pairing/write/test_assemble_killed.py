"""An assembly that is killed at any moment leaves whole files, and the next one completes it."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.pairing.write.patches import CONFIG, make_patches, write_pictures

from stainbridge.pairing.write.assemble import assemble_set
from stainbridge.pairing.write.manifest import read_patches

#: Assembles again and again, so that a kill hits any of its steps.
SCRIPT = """
import pickle, sys
from pathlib import Path
from stainbridge.pairing.write.assemble import assemble_set

patches, config = pickle.loads(Path(sys.argv[2]).read_bytes())
print("ready", flush=True)
while True:
    assemble_set(Path(sys.argv[1]), patches, config, shard_samples=8)
"""
#: Seconds after the first assembly begins at which it is killed.
MOMENTS_S = (0.05, 0.35, 0.8)


def read_bytes(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()
    }


@pytest.mark.slow
def test_a_killed_assembly_is_completed_to_the_same_bytes(tmp_path: Path) -> None:
    patches = make_patches()
    write_pictures(tmp_path / "cut", patches)
    request = tmp_path / "request"
    request.write_bytes(pickle.dumps((patches, CONFIG)))
    whole = Path(shutil.copytree(tmp_path / "cut", tmp_path / "whole"))
    assemble_set(whole, patches, CONFIG, shard_samples=8)
    expected = read_bytes(whole)
    for moment_s in MOMENTS_S:
        out = Path(shutil.copytree(tmp_path / "cut", tmp_path / f"killed at {moment_s}"))
        command = [sys.executable, "-c", SCRIPT, str(out), str(request)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moment_s)
            process.kill()
        left = {
            name: data
            for name, data in read_bytes(out).items()
            if not name.startswith(".stainbridge-") and "/.stainbridge-" not in name
        }
        assert left == {name: expected[name] for name in left}
        if (out / "manifest.csv").exists():
            assert len(read_patches(out / "manifest.csv")) == len(patches)
        assemble_set(out, patches, CONFIG, shard_samples=8)
        assert read_bytes(out) == expected

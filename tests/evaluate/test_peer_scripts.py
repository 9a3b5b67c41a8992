"""The scripts of the peers map fixed points to the moving picture, with stand-ins for the peers.

Each stand-in finds the shift between the dark squares of the two pictures, in its peer's own
conventions.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from stainbridge.evaluate.methods.external import PEERS
from stainbridge.evaluate.peers.exchange import CHECK

SCRIPTS = Path(__file__).parents[2] / "src" / "stainbridge" / "evaluate" / "peers"
#: Middles of the squares, pixel indices (x, y); sizes of the pictures (width, height).
FIXED, MOVING = np.array([30.0, 40.0]), np.array([62.0, 25.0])
SIZES = ((120, 80), (100, 90))

MIDDLE = """
import numpy as np
def middle(ink):  # (x, y) of an (H, W) array whose glass is 0
    y, x = np.nonzero(ink)
    return np.array([x.mean(), y.mean()])
def of_file(path):
    from PIL import Image
    return middle(255 - np.asarray(Image.open(path).convert("L"), float))
"""
ANTS = """
from middle import middle
def from_numpy(array):
    return array.T
def registration(fixed, moving, type_of_transform, random_seed):
    assert type_of_transform == "SyN"
    return {"fwdtransforms": [middle(moving) - middle(fixed)]}
def apply_transforms_to_points(dim, table, transforms):
    return type(table)(table.values + transforms[0], columns=table.columns)
"""
PANDAS = """
class DataFrame:
    def __init__(self, values, columns):
        self.values, self.columns = values, columns
    def __getitem__(self, names):
        assert names == self.columns
        return self
    def to_numpy(self):
        return self.values
"""
DEEPERHISTREG = """
import numpy as np, SimpleITK
from pathlib import Path
from PIL import Image
from middle import of_file
class configs:
    @staticmethod
    def default_initial_nonrigid_fast():
        names = ("loading", "initial_registration", "nonrigid_registration")
        return {f"{name}_params": {} for name in names}
def run_registration(source_path, target_path, output_path, registration_parameters, **named):
    assert registration_parameters["loading_params"]["source_resample_ratio"] == 1.0
    width, height = Image.open(source_path).size
    assert Image.open(target_path).size == (width, height)
    shift = (of_file(source_path) - of_file(target_path)) / 2  # its field is at half the resolution
    Path(output_path).mkdir()
    field = np.broadcast_to(shift, (height // 2, width // 2, 2)).copy()
    image = SimpleITK.GetImageFromArray(field, isVector=True)
    SimpleITK.WriteImage(image, f"{output_path}/displacement_field.mha")
"""
VALIS = """
from pathlib import Path
from middle import of_file
class Slide:
    def __init__(self, path):
        self.middle = of_file(path)
    def warp_xy_from_to(self, points, other):
        return points + other.middle - self.middle
class Valis:
    def __init__(
        self, slides, out, reference_img_f, align_to_reference, check_for_reflections, matcher
    ):
        assert reference_img_f == "fixed.png"
        assert (align_to_reference, check_for_reflections) == (True, True)
        self.slides = slides
    def register(self):
        pass
    def get_slide(self, name):
        return Slide(Path(self.slides) / name)
def kill_jvm():
    pass
"""
DETECTORS = """
class SuperPointFD:
    def _detect_and_compute(self, image):
        return image
"""
#: What each environment has in it.
ENVIRONMENTS = {
    "ants": {"ants.py": ANTS, "pandas.py": PANDAS},
    "deeperhistreg": {"deeperhistreg.py": DEEPERHISTREG},
    "valis": {
        "kornia.py": "class feature:\n    class DISK: ...\n    class LightGlueMatcher: ...\n",
        "valis/__init__.py": "",
        "valis/registration.py": VALIS,
        "valis/feature_detectors.py": DETECTORS,
        "valis/feature_matcher.py": "class SuperGlueMatcher: ...\n",
    },
}


def call(name: str, argument: str, environment: Path) -> subprocess.CompletedProcess[str]:
    """Run a peer's script with a folder of modules as its environment."""
    return subprocess.run(
        [sys.executable, str(SCRIPTS / PEERS[name].script), argument],
        env={"PYTHONPATH": str(environment), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def stand_ins(name: str, environment: Path) -> Path:
    for file, text in {"middle.py": MIDDLE, **ENVIRONMENTS[name]}.items():
        (environment / file).parent.mkdir(parents=True, exist_ok=True)
        (environment / file).write_text(text)
    return environment


@pytest.mark.parametrize("name", list(PEERS))
def test_a_check_imports_all_that_is_needed(name: str, tmp_path: Path) -> None:
    assert call(name, CHECK, stand_ins(name, tmp_path / "all")).returncode == 0
    missing = call(name, CHECK, tmp_path)
    assert missing.returncode == 1
    assert "ModuleNotFoundError" in missing.stderr


@pytest.mark.parametrize("name", list(PEERS))
def test_fixed_points_go_to_the_moving_picture(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for side, at, (width, height) in zip(("fixed", "moving"), (FIXED, MOVING), SIZES, strict=True):
        picture = np.full((height, width, 3), 255, np.uint8)
        x, y = at.astype(int)
        picture[y - 5 : y + 6, x - 5 : x + 6] = 40
        PIL.Image.fromarray(picture).save(folder / f"{side}.png")
    points = np.array([[10.0, 12.0], [30.0, 40.0], [51.25, 33.5]])
    np.save(folder / "points.npy", points)
    done = call(name, str(folder), stand_ins(name, tmp_path / "environment"))
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(folder / "moved.npy"), points + MOVING - FIXED, atol=1e-4)
    measured = json.loads((folder / "measured.json").read_text())
    assert measured.keys() == {"seconds", "cpu_s", "peak_mb"}

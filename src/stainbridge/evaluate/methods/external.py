"""Peers that need an environment of their own.

Each runs there as a process, with two pictures in and a sampled map out.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from stainbridge.errors import InputError, MissingFileError
from stainbridge.evaluate.methods.alignment import Align, Alignment, Method, fail
from stainbridge.evaluate.methods.views import grey_view, to_rgb, transform_from_samples
from stainbridge.evaluate.peers.exchange import CHECK
from stainbridge.slides.slide import Slide

#: Pixels along the longer side of the pictures that a peer gets.
WORKING_PX = 1024
#: Samples of the map along the fixed slide's longer side.
GRID_PX = 256


@dataclass(frozen=True)
class Peer:
    """A registration program that runs in an environment of its own."""

    name: str
    """Its name, which is its module's."""
    description: str
    """What it is, in one line."""
    script: str
    """The file in `peers/` that runs in its environment."""
    install: str
    """The command that makes its environment."""

    def read_settings(self) -> dict[str, Any]:
        """Return what its results depend on: how it is called, and which version of it."""
        text = files("stainbridge.evaluate").joinpath("peers", self.script).read_bytes()
        digest = hashlib.sha256(text).hexdigest()[:16]
        return {"working_px": WORKING_PX, "script": digest, "install": self.install}

    @property
    def variable(self) -> str:
        """The environment variable that names the environment's Python."""
        return f"STAINBRIDGE_{self.name.upper()}_PYTHON"

    def python(self) -> Path:
        """Return its Python; raise `InputError`, with how to get it, where there is none."""
        named = os.environ.get(self.variable)
        if not named:
            raise InputError(
                f"the method '{self.name}' runs in an environment of its own",
                expected=f"its Python in {self.variable}",
                remedy=f"{self.install}; export {self.variable}=$PWD/{self.name}-env/bin/python",
            )
        if not Path(named).is_file():
            raise MissingFileError(
                "no such Python", where=f"{self.variable}={named}", remedy=self.install
            )
        return Path(named)

    def check(self) -> None:
        """Raise `InputError` where its Python, or a library that it imports, is missing."""
        python = self.python()
        ended = self.call(python, CHECK)
        if ended.returncode != 0:
            raise InputError(
                f"{self.name} cannot be used",
                where=f"{self.variable}={python}",
                got=_last_output(ended),
                remedy=self.install,
            )

    def call(self, python: Path, argument: str) -> subprocess.CompletedProcess[str]:
        """Run its script in its environment, with a folder or `CHECK`."""
        with as_file(files("stainbridge.evaluate") / "peers") as scripts:
            command = [str(python), str(scripts / self.script), argument]
            return subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )


#: The peers by name.
PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "ants",
            "ANTs SyN, its defaults",
            "run_ants.py",
            "python -m venv ants-env && ants-env/bin/pip install antspyx==0.6.3 'numpy<2.4'"
            " 'scipy<1.16' pillow",
        ),
        Peer(
            "valis",
            "VALIS, its defaults",
            "run_valis.py",
            "apt-get install libvips42 && python -m venv valis-env && valis-env/bin/pip install"
            " valis-wsi==1.2.0",
        ),
        Peer(
            "deeperhistreg",
            "DeeperHistReg, its fast preset",
            "run_deeperhistreg.py",
            "python -m venv deeperhistreg-env && deeperhistreg-env/bin/pip install"
            " deeperhistreg==1.0.1 torch torchvision scipy pandas matplotlib opencv-python-headless"
            " pillow scikit-image SimpleITK einops pyvips pyvips-binary openslide-python"
            " openslide-bin",
        ),
    )
}


def load_peer(name: str) -> Align:
    """Return a peer as a method.

    It gets RGB pictures of 1024 pixels at most, and returns where a grid of points goes.
    """
    peer = PEERS[name]
    python = peer.python()

    def align(fixed: Slide, moving: Slide) -> Alignment:
        with tempfile.TemporaryDirectory(prefix=f"stainbridge-{name}-") as folder:
            return _run(peer, python, Path(folder), fixed, moving)

    return align


def _run(peer: Peer, python: Path, folder: Path, fixed: Slide, moving: Slide) -> Alignment:
    grid = fixed.frame.fit(GRID_PX)
    views = grey_view(fixed, WORKING_PX), grey_view(moving, WORKING_PX)
    for side, slide in (("fixed", fixed), ("moving", moving)):
        PIL.Image.fromarray(to_rgb(slide.read(slide.frame.fit(WORKING_PX)))).save(
            folder / f"{side}.png"
        )
    np.save(folder / "points.npy", views[0].frame.to_px(grid.centres_um()) - 0.5)
    ended = peer.call(python, str(folder))
    if ended.returncode != 0:
        return fail(f"{peer.name} ended with {ended.returncode}: {_last_output(ended)}")
    cost = json.loads((folder / "measured.json").read_text())
    moved = np.load(folder / "moved.npy").T.reshape(2, grid.height, grid.width)
    return Alignment(transform_from_samples(moved, grid, *views), **cost)


def _last_output(ended: subprocess.CompletedProcess[str]) -> str:
    output = ended.stderr + "\n" + ended.stdout
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "and printed nothing"


METHODS = tuple(
    Method(
        peer.name, peer.description, partial(load_peer, peer.name), peer.read_settings, peer.check
    )
    for peer in PEERS.values()
)

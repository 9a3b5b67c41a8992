"""A small result to look at: generated tissue, registered by its own truth."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.cli.conftest import quarter_turn_registration

from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.summary import find_affine_part, residual_displacement
from stainbridge.geometry.transform import Affine, Chain, DisplacementField
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.registration.result import Registration
from stainbridge.registration.store import load
from stainbridge.slides.open import open_slide
from stainbridge.slides.writing.write import write_slide
from stainbridge.viewer.access import Access
from stainbridge.viewer.app import create_app
from stainbridge.viewer.listen import listen
from stainbridge.viewer.serve import BackgroundServer
from stainbridge.viewer.session import Session
from stainbridge.viewer.sources import ResultSource

ACCESS = Access(token="the-right-token")
#: Side of the slides, in pixels: several tiles, several levels.
SIDE_PX = 700


@dataclass(frozen=True)
class Result:
    """A result folder and the slides it is of."""

    folder: Path
    fixed: Path
    moving: Path
    registration: Registration


@pytest.fixture(scope="session")
def shared_result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A result that tests only read."""
    return make_result(tmp_path_factory.mktemp("viewer"))


@pytest.fixture
def own_result(shared_result: Result, tmp_path: Path) -> Result:
    """A result that a test may change."""
    fixed, moving = (
        Path(shutil.copy(path, tmp_path)) for path in (shared_result.fixed, shared_result.moving)
    )
    shared_result.registration.save(tmp_path / "result", fixed, moving)
    return Result(tmp_path / "result", fixed, moving, load(tmp_path / "result"))


def make_result(folder: Path) -> Result:
    pair = generate_pair(
        seed=3, size_px=SIDE_PX, mpp=4.0, moving_stain="Ki67", rotation_deg=140.0, flip=True
    )
    fixed = folder / "he.ome.tiff"
    moving = folder / "ki67.ome.tiff"
    write_slide(pair.fixed, fixed)
    write_slide(pair.moving, moving)
    with open_slide(fixed) as first, open_slide(moving) as second:
        registration = quarter_turn_registration(first.frame, second.frame)
        grid = pair.fixed.frame.fit(64)
        bend = residual_displacement(pair.truth, grid.centres_um()).T
        field = DisplacementField(
            bend.reshape(2, grid.height, grid.width).astype(np.float32),
            replace(grid, space=first.frame.space),
            first.frame.space,
            first.frame.space,
        )
        matrix = find_affine_part(pair.truth).matrix
        solution = Chain((field, Affine(matrix, first.frame.space, second.frame.space)))
        registration = replace(registration, solution=solution, predicted_rtre=0.001)
        registration.save(folder / "result", first, second)
    return Result(folder / "result", fixed, moving, load(folder / "result"))


@pytest.fixture
def session(shared_result: Result) -> Iterator[Session]:
    """A session of the shared result."""
    with Session("result", (ResultSource("result", (shared_result.folder,)),)) as session:
        yield session


@pytest.fixture
def client(session: Session) -> Iterator[httpx.Client]:
    """A client that has the token, of a real server."""
    with serve_session(session) as client:
        yield client


@contextmanager
def serve_session(
    session: Session, *, token: bool = True, **options: Any
) -> Iterator[httpx.Client]:
    """Serve a session, which is closed after; hand out a client with or without the token."""
    listener = listen("127.0.0.1", 0)
    server = BackgroundServer(create_app(session, ACCESS, **options), listener)
    headers = {"Authorization": f"Bearer {ACCESS.token}"} if token else {}
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            yield client
    finally:
        server.close()


def frame_of(width: int, height: int, mpp: float = 0.5) -> Frame:
    return Space("slide", height, width, (mpp, mpp)).frame


def decode(content: bytes) -> np.ndarray:
    """Return the picture (H, W, C) in the bytes of a file."""
    import cv2

    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    codes = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    return np.asarray(cv2.cvtColor(picture, codes[picture.shape[2]]))

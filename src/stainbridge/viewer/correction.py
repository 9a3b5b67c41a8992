"""Correcting cases: their landmarks, new registrations from them, and which result is kept."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.slides.slide import Slide
from stainbridge.viewer.landmarks import LANDMARKS, PairSet, read_pairs, write_pairs
from stainbridge.viewer.layer import Layer
from stainbridge.viewer.session import Session
from stainbridge.viewer.trial import (
    Preset,
    RunTrial,
    Trial,
    TrialReport,
    TrialRequest,
    keep_result,
)

#: Pairs that a registration needs at least: two give a similarity.
FEWEST_PAIRS = 2


class Correction:
    """What was placed and tried since the start; thread-safe.

    Args:
        session: The cases.
        run: Runs a registration; None where that is not offered.
        result_files: The names of a result's files, its record first.

    """

    def __init__(
        self, session: Session, run: RunTrial | None, result_files: tuple[str, ...]
    ) -> None:
        self._session = session
        self._run = run
        self._result_files = result_files
        self._pairs: dict[tuple[str, str], PairSet] = {}
        self._trials: dict[str, Trial] = {}
        self._lock = Lock()

    @property
    def can_register(self) -> bool:
        """Whether a registration can be run."""
        return self._run is not None

    def get_pairs(self, case_id: str, layer_id: str) -> PairSet:
        """Return the pairs of a layer; at first those that were saved in its folder.

        Raises `InputError` for saved files that are damaged, and for the fixed slide.
        """
        with self._lock:
            known = self._pairs.get((case_id, layer_id))
        if known is not None:
            return known
        with self._session.borrow_pair(case_id, layer_id) as (fixed, layer):
            folder = _own_folder(layer)
            frames = (fixed.original.frame, layer.original.frame)
            saved = PairSet() if folder is None else read_pairs(folder / LANDMARKS, *frames)
        with self._lock:
            return self._pairs.setdefault((case_id, layer_id), saved)

    def put_pairs(self, case_id: str, layer_id: str, pairs: PairSet) -> None:
        """Replace the pairs of a layer; raises `NoSuchCaseError` for an unknown one."""
        with self._session.borrow_layer(case_id, layer_id) as layer:
            _own_folder(layer)
        with self._lock:
            self._pairs[case_id, layer_id] = pairs

    def save_pairs(self, case_id: str, layer_id: str) -> tuple[str, ...]:
        """Write the pairs into the result's folder; return the names of the files in it.

        Raises `InputError` where there is no folder, or it cannot be written.
        """
        with self._session.borrow_layer(case_id, layer_id) as layer:
            folder = _own_folder(layer)
        if folder is None:
            raise InputError("there is no result to save them in", remedy="download them instead")
        written = write_pairs(folder / LANDMARKS, self.get_pairs(case_id, layer_id))
        return tuple(str(path.relative_to(folder)) for path in written)

    def start(self, case_id: str, layer_id: str, preset: Preset) -> None:
        """Register a layer anew from its pairs, in the background; the pairs are saved first.

        Raises `InputError` for too few pairs, while another registration runs, and for slides that
        are in no file.
        """
        if self._run is None:
            raise InputError("registering is not offered here")
        pairs = self.get_pairs(case_id, layer_id)
        if len(pairs.fixed) < FEWEST_PAIRS:
            raise InputError(
                "too few landmarks", expected=f"{FEWEST_PAIRS} pairs or more", got=len(pairs.fixed)
            )
        with self._session.borrow_pair(case_id, layer_id) as (fixed, layer):
            folder = _own_folder(layer)
            slides = (fixed.original, layer.original)
            paths = [_slide_path(slide) for slide in slides]
            mpps = [_chosen_mpp(slide, path) for slide, path in zip(slides, paths, strict=True)]

        def make_request(scratch: Path) -> TrialRequest:
            saved = scratch / LANDMARKS if folder is None else folder / LANDMARKS
            write_pairs(saved, pairs)
            return TrialRequest(
                fixed=paths[0],
                moving=paths[1],
                fixed_mpp=mpps[0],
                moving_mpp=mpps[1],
                fixed_landmarks=saved / "fixed.csv",
                moving_landmarks=saved / "moving.csv",
                preset=preset,
                out=scratch / "result",
            )

        state = self._session.find(case_id)
        with self._lock:
            running = self._trials.get(case_id)
            if running is not None and running.report.state == "running":
                raise InputError("a registration of this case is running", remedy="stop it first")
        self.drop(case_id)
        trial = Trial(self._run, make_request, state.change_candidate)
        with self._lock:
            self._trials[case_id] = trial

    def report(self, case_id: str) -> TrialReport:
        """Return how far the case's registration is; raises `NoSuchCaseError` for an unknown id."""
        self._session.find(case_id)
        with self._lock:
            trial = self._trials.get(case_id)
        return TrialReport("none") if trial is None else trial.report

    def drop(self, case_id: str) -> None:
        """Stop the registration of a case, and forget its result."""
        state = self._session.find(case_id)
        with self._lock:
            trial = self._trials.pop(case_id, None)
        if trial is not None:
            if state.candidate is not None:
                state.change_candidate(None)
            trial.close()

    def keep(self, case_id: str, layer_id: str) -> None:
        """Put the new result in the place of the old one.

        Raises `InputError` where there is no new result, no folder, or it cannot be written.
        """
        state = self._session.find(case_id)
        if state.candidate is None:
            raise InputError("there is no new result to keep")
        with self._session.borrow_layer(case_id, layer_id) as layer:
            folder = _own_folder(layer)
        if folder is None:
            raise InputError(
                "there is no folder to keep it in",
                remedy="register with --fixed-landmarks and --moving-landmarks",
            )
        keep_result(state.candidate, folder, self._result_files)
        self.drop(case_id)

    def close(self) -> None:
        """Stop what runs, and remove what was not kept."""
        with self._lock:
            trials = list(self._trials.values())
            self._trials.clear()
        for trial in trials:
            trial.close()


def _own_folder(layer: Layer) -> Path | None:
    """Return the folder of a layer's registration; raises `InputError` for the fixed slide."""
    if layer.is_fixed:
        raise InputError("landmarks belong to a moving slide", expected="another layer")
    return layer.folder


def _slide_path(slide: Slide) -> Path:
    path = Path(slide.info.path)
    if not path.exists():
        raise InputError("the slide is in no file, so it cannot be registered", where=path)
    return path.absolute()


def _chosen_mpp(slide: Slide, path: Path) -> float | None:
    """Return the pixel size that was given for a slide; None where it is its file's."""
    from stainbridge.slides.open import open_slide

    frame: Frame = slide.frame
    if not frame.calibrated:
        return None
    with open_slide(path) as as_filed:
        is_own = as_filed.frame.calibrated and as_filed.frame.mpp == frame.mpp
    return None if is_own else frame.mpp[0]

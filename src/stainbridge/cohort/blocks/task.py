"""Align one slide of a block to its reference, through whichever slides that takes."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stainbridge.cohort.blocks.block import Block
from stainbridge.cohort.folder import CohortFolder
from stainbridge.cohort.options import CaseOptions
from stainbridge.cohort.register_task import (
    PICTURE,
    carry_annotations,
    hash_facts,
    measure_landmarks,
    write_picture,
)
from stainbridge.cohort.task import TaskResult

if TYPE_CHECKING:
    from stainbridge.cohort.blocks.graph import Path as SlidePath
    from stainbridge.cohort.blocks.results import PairResults
    from stainbridge.registration.result import Registration
    from stainbridge.slides.slide import Slide

#: What the record calls the ways that were compared.
BLOCK = "block"


@dataclass(frozen=True)
class ComposeTask:
    """The alignment of one slide to the reference of its block."""

    block: Block
    """The block; its paths are absolute."""
    name: str
    """The slide."""
    options: CaseOptions
    """How the pairs were registered."""
    root: Path
    """The folder of the cohort, absolute, where the pairs' results are."""

    @property
    def id(self) -> str:
        """The block's id and the slide's name."""
        return self.block.name_result(self.name)

    @property
    def needs(self) -> tuple[str, ...]:
        """The cases of all pairs of the block."""
        return tuple(case.id for case in self.block.list_cases())

    def make_key(self) -> str:
        """Return a hash of the slides, the content of their files, the settings and the version."""
        from stainbridge.fingerprint import fingerprint

        files = {
            f"{slide.name}/{role}": fingerprint(path)
            for slide in self.block.slides
            for role, path in slide.list_files().items()
        }
        if self.options.pipeline is not None:
            files["pipeline"] = fingerprint(self.options.pipeline)
        slides = [slide.describe() for slide in self.block.slides]
        facts = {"block": slides, "slide": self.name, "options": asdict(self.options)}
        return hash_facts({**facts, "files": files})

    def run(self, folder: Path) -> TaskResult:
        """Compose the best chain of registrations and write it as a registration's result.

        Raises `InputError` for files that cannot be used.
        """
        from stainbridge.cohort.blocks.graph import choose_path
        from stainbridge.cohort.blocks.results import read_results
        from stainbridge.slides.open import open_slide

        with ExitStack() as stack:
            slides = {
                slide.name: stack.enter_context(open_slide(slide.path, mpp=slide.mpp))
                for slide in self.block.slides
            }
            spaces = {name: slide.frame.space for name, slide in slides.items()}
            results = read_results(self.block, spaces, CohortFolder(self.root))
            reference = self.block.reference.name
            path = choose_path(results.links, reference, self.name)
            if path is None:
                reason = f"no chain of registrations leads from {reference} to {self.name}"
                return TaskResult("failed", reason)
            loops = self._measure_loops(results, path, slides[reference])
            registration = self._make_registration(results, path, slides)
            extra = {BLOCK: {"through": list(path.slides[1:-1]), "loops_um": loops}}
            registration.save(folder, slides[reference], slides[self.name], extra=extra)
            self._write_extras(folder, registration, slides[reference], slides[self.name])
        fixed = self.block.reference
        moving = self.block.find(self.name)
        notes: list[str] = []
        carry_annotations(folder, fixed.annotations, moving.annotations, notes.append)
        facts = describe_path(registration, path, loops)
        facts |= measure_landmarks(folder, fixed.landmarks, moving.landmarks)
        return TaskResult(registration.status, registration.reason, facts, tuple(notes))

    def _make_registration(
        self, results: PairResults, path: SlidePath, slides: dict[str, Slide]
    ) -> Registration:
        from stainbridge.registration.result import Registration

        fixed = slides[path.slides[0]].frame
        has_direct = {path.slides[0], path.slides[-1]} in [
            {link.fixed, link.moving} for link in results.links
        ]
        return Registration(
            fixed=fixed,
            moving=slides[path.slides[-1]].frame,
            status="fallback" if path.doubtful else "ok",
            reason=explain_path(path, has_direct=has_direct),
            stages=(),
            seconds=math.nan,
            predicted_rtre=path.error_um / fixed.diagonal_um,
            seed=self.options.seed or 0,
            config={},
            solution=results.compose(path.slides),
            fixed_source=self.block.reference.path,
            moving_source=self.block.find(path.slides[-1]).path,
        )

    def _measure_loops(
        self, results: PairResults, path: SlidePath, reference: Slide
    ) -> dict[str, float]:
        """Return the error of each other way of at most two links, by the slides between."""
        from stainbridge.cohort.blocks.consistency import measure_loop, sample_tissue
        from stainbridge.cohort.blocks.graph import list_detours
        from stainbridge.slides.overview import find_tissue

        points_um = sample_tissue(find_tissue(reference))
        if not len(points_um):
            return {}
        chosen = results.compose(path.slides)
        return {
            ", ".join(slides[1:-1]) or "direct": round(
                measure_loop(chosen, results.compose(slides), points_um), 6
            )
            for slides in list_detours(results.links, path)
        }

    def _write_extras(
        self, folder: Path, registration: Registration, fixed: Slide, moving: Slide
    ) -> None:
        """Write the picture, the report and, where asked for, the warped slide."""
        from stainbridge.report.write import write_report
        from stainbridge.slides.writing.write import write_slide

        write_picture(registration, folder / PICTURE)
        if self.options.report:
            write_report(folder / "report.html", registration, fixed, moving)
        if self.options.write_slides or self.block.find(self.name).write_slide:
            warped = registration.warp_slide(moving)
            write_slide(warped, folder / "warped.ome.tiff", threads=self.options.threads)


def explain_path(path: SlidePath, *, has_direct: bool) -> str:
    """Return how a slide is reached, in words."""
    if path.is_direct:
        return "aligned directly" + (", with doubt" if path.doubtful else "")
    through = " and ".join(path.slides[1:-1])
    why = "which is better than directly" if has_direct else "the direct registration failed"
    return f"aligned through {through}: {why}"


def describe_path(
    registration: Registration, path: SlidePath, loops: dict[str, float]
) -> dict[str, Any]:
    """Return the numbers of a composed registration by their column of the table."""
    from statistics import median

    from stainbridge.geometry.summary import find_affine_part

    affine = find_affine_part(registration.transform)
    calibrated = registration.fixed.calibrated
    return {
        "predicted_rtre": registration.predicted_rtre,
        "predicted_um": registration.predicted_um if calibrated else None,
        "rotation_deg": affine.rotation_deg,
        "flip": affine.flip,
        "scale": affine.scale,
        "through": " ".join(path.slides[1:-1]),
        "loop_rtre": median(loops.values()) / registration.fixed.diagonal_um if loops else None,
    }

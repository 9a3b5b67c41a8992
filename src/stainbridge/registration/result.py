"""What a registration returns, and what can be done with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from stainbridge.errors import InputError, RegistrationError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.geojson import warp_geojson
from stainbridge.geometry.geojson_document import Json
from stainbridge.geometry.points import check_points
from stainbridge.geometry.summary import find_affine_part
from stainbridge.geometry.transform import Transform
from stainbridge.geometry.warp import Crop, Interpolation, find_output_frame
from stainbridge.imaging.pictures import checkerboard, display_density, overlay, render_rgb
from stainbridge.registration.notebook import (
    RunningView,
    find_viewer,
    format_picture,
    format_verdict,
)
from stainbridge.registration.pieces.record import PieceRecord
from stainbridge.registration.record import TRANSFORM, describe_source, write_result
from stainbridge.registration.source import open_registered
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.verdict.evidence import Evidence
from stainbridge.registration.verdict.judge import RegistrationStatus
from stainbridge.registration.verdict.misfit import Misfit
from stainbridge.registration.whole_picture import warp_picture
from stainbridge.slides.slide import Slide
from stainbridge.slides.warped import WarpedSlide
from stainbridge.types import Points

if TYPE_CHECKING:
    import SimpleITK

Side = Literal["fixed", "moving"]
Picture = npt.NDArray[np.uint8]  # (H, W, 3)

#: Longest side, in pixels, of the pictures of both slides.
PICTURE_PX = 1024
#: Longest side, in pixels, of the picture in a notebook.
NOTEBOOK_PX = 480


@dataclass(frozen=True, repr=False)
class Registration:
    """The outcome of a registration.

    A failed one has no transform: using it raises `RegistrationError`. `fallback` means usable with
    care: a later stage was rejected and the best verified earlier result stands, or a large error
    cannot be ruled out. See docs/verdict.md. `stainbridge.register` and `stainbridge.load` make
    one.

    Example:
        >>> pair = stainbridge.generate_pair(seed=3, size_px=256, mpp=4.0, difficulty="easy")
        >>> registration = stainbridge.register(pair.fixed, pair.moving, "fast")
        >>> registration
        <Registration 'phantom 3 moving' to 'phantom 3 fixed': ok, expected error ...>
        >>> [stage.name for stage in registration.stages]
        ['prepare', 'search', 'affine', 'deformable']
        >>> registration.transform(np.array([[480.0, 320.0]])).shape
        (1, 2)

    """

    fixed: Frame
    """Full-resolution frame of the fixed slide."""
    moving: Frame
    """Full-resolution frame of the moving slide."""
    status: RegistrationStatus
    """`ok`, `fallback` or `failed`."""
    reason: str
    """Why, in words."""
    stages: tuple[StageRecord, ...]
    """One record a stage, in order."""
    seconds: float
    """Wall time of the whole registration."""
    predicted_rtre: float
    """Expected median landmark error ÷ the fixed slide's diagonal."""
    seed: int
    """The seed it ran with."""
    config: dict[str, Any]
    """The configuration it ran with, as plain values."""
    solution: Transform | None = None
    """The transform, moving from fixed; None where it failed. See `transform`."""
    bound_rtre: float = float("nan")
    """What nine of ten such registrations stay below."""
    tissue_um: float = float("nan")
    """Diagonal of the box around the fixed tissue in µm; not a number where it is not known."""
    evidence: Evidence | None = None
    """What it was judged by; None where it did not come to that."""
    pieces: tuple[PieceRecord, ...] = ()
    """One record a piece of tissue, where a slide has several; else empty."""
    misfit: Misfit | None = None
    """Where tissue would rather lie elsewhere; None where that was not measured."""
    fixed_source: Slide | Path | None = field(default=None, compare=False)
    """The fixed slide, or where its file is; None where that is not known."""
    moving_source: Slide | Path | None = field(default=None, compare=False)
    """The moving slide, or where its file is; None where that is not known."""
    fingerprints: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What told the slides' files from others when they were registered, by "fixed", "moving"."""

    @property
    def transform(self) -> Transform:
        """The transform, moving from fixed: fixed µm in, moving µm out.

        Raises `RegistrationError` when the registration failed.
        """
        if self.solution is None:
            raise RegistrationError(f"the registration failed: {self.reason}")
        return self.solution

    @property
    def predicted_um(self) -> float:
        """The predicted error in µm of the fixed slide."""
        return self.predicted_rtre * self.fixed.diagonal_um

    @property
    def bound_um(self) -> float:
        """What nine of ten such registrations stay below, in µm of the fixed slide."""
        return self.bound_rtre * self.fixed.diagonal_um

    @property
    def predicted_tissue_rtre(self) -> float:
        """The predicted error ÷ the tissue's diagonal, whatever glass lies around the tissue."""
        return self.predicted_um / self.tissue_um

    @property
    def bound_tissue_rtre(self) -> float:
        """What nine of ten such registrations stay below ÷ the tissue's diagonal."""
        return self.bound_um / self.tissue_um

    def transform_to(self, side: Side) -> Transform:
        """Return the transform whose points come out on `side`, "fixed" or "moving".

        Raises `InputError` for another word, `RegistrationError` when the registration failed.
        """
        _check_side(side, "to")
        return self.transform if side == "moving" else self.transform.inverse()

    def warp_points(self, points_px: npt.ArrayLike, to: Side = "fixed") -> Points:
        """Warp points to the slide `to` from the other one.

        Args:
            points_px: (N, 2), x and y in full-resolution pixels.
            to: The slide that the points come out on, "fixed" or "moving".

        Returns:
            (N, 2) full-resolution pixels.

        Raises:
            InputError: Points of another shape, or another word for `to`.
            RegistrationError: The registration failed.

        Example:
            >>> on_fixed = registration.warp_points([[120, 80], [64, 200]])
            >>> on_moving = registration.warp_points(on_fixed, to="moving")
            >>> bool(np.allclose(on_moving, [[120, 80], [64, 200]], atol=0.1))
            True

        """
        points = check_points(points_px, "points_px")
        transform = self.transform_to(to)
        return transform.target.frame.to_px(transform(transform.source.frame.to_um(points)))

    def warp_geojson(
        self,
        data: Json,
        to: Side = "fixed",
        *,
        from_offset_px: tuple[float, float] = (0, 0),
        to_offset_px: tuple[float, float] = (0, 0),
    ) -> Json:
        """Warp GeoJSON in full-resolution pixels to the slide `to` from the other one.

        The offsets are the corners that QuPath counts from on slides that it crops, their
        `info.bounds_px`. Raises `InputError` for what is no GeoJSON.
        """
        return warp_geojson(
            data, self.transform_to(to), from_offset_px=from_offset_px, to_offset_px=to_offset_px
        )

    def warp_slide(
        self,
        moving: Slide | None = None,
        crop: Crop = "fixed",
        *,
        interpolation: Interpolation = "linear",
    ) -> WarpedSlide:
        """Return the moving slide as a `Slide` in the fixed one's space, warped as it is read.

        Args:
            moving: The moving slide; None: the one that was registered. Closing the warped slide
                closes it.
            crop: What to cover: "fixed", "overlap" or "moving".
            interpolation: "linear", or "nearest" for label images.

        Raises:
            InputError: It is not known where the moving slide is, its size has changed, or another
                word for `crop` or `interpolation`.
            RegistrationError: The registration failed.

        Example:
            >>> with registration.warp_slide() as warped:
            ...     thumbnail = warped.read(warped.frame.fit(64))
            >>> thumbnail.pixels.shape
            (3, 64, 64)

        """
        frame = find_output_frame(self.transform, self.fixed, self.moving, crop)
        slide = self.open_slide("moving") if moving is None else moving
        if not isinstance(slide, Slide):
            raise InputError(
                "not a slide",
                where="moving",
                expected="an opened slide",
                got=type(slide).__name__,
                remedy="warp_image warps an array",
            )
        return WarpedSlide(slide, self.transform, frame, interpolation=interpolation)

    def warp_image(
        self, image: npt.NDArray[Any], *, interpolation: Interpolation = "linear"
    ) -> npt.NDArray[Any]:
        """Warp a picture of the whole moving slide, at any resolution, onto the fixed one.

        Args:
            image: (H, W), (H, W, C) or (C, H, W) of the whole slide: a thumbnail, a mask, labels,
                a heat map.
            interpolation: "linear", or "nearest" for masks and labels.

        Returns:
            The same kind of array, of the whole fixed slide at the same µm per pixel; 0 outside.

        Raises:
            InputError: An array that is no picture of the moving slide, or another interpolation.
            RegistrationError: The registration failed.

        Example:
            >>> mask = np.ones((64, 64), np.uint8)
            >>> registration.warp_image(mask, interpolation="nearest").shape
            (64, 64)

        """
        return warp_picture(
            image, self.transform, self.moving, self.fixed, interpolation=interpolation
        )

    def to_sitk(self) -> SimpleITK.CompositeTransform:
        """Return the transform for SimpleITK: fixed points to moving points, in physical units.

        It resamples the moving slide onto the fixed one; docs/transform-files.md has the units.

        Raises:
            RegistrationError: The registration failed.

        Example:
            >>> transform = registration.to_sitk()
            >>> transform.GetDimension()
            2

        """
        from stainbridge.geometry.itk import to_itk

        return to_itk(self.transform)

    def overlay(self, longest_px: int = PICTURE_PX) -> Picture:
        """Return both slides' tissue on top of each other, (H, W, 3) uint8.

        Fixed tissue alone is magenta, moving alone green, both grey to black.

        Args:
            longest_px: Longest side of the picture, in pixels.

        Raises:
            InputError: It is not known where a slide is, or its size has changed.
            RegistrationError: The registration failed.

        Example:
            >>> registration.overlay(128).shape
            (128, 128, 3)

        """
        with self._open_both() as (fixed, warped):
            frame = fixed.frame.fit(longest_px)
            densities = (display_density(slide.read(frame)) for slide in (fixed, warped))
            return overlay(*densities)

    def checkerboard(self, longest_px: int = PICTURE_PX, across: int = 12) -> Picture:
        """Return squares of the fixed and of the warped moving slide in turn, (H, W, 3) uint8.

        Args:
            longest_px: Longest side of the picture, in pixels.
            across: Squares along the longer side.

        Raises:
            InputError: It is not known where a slide is, or its size has changed.
            RegistrationError: The registration failed.

        Example:
            >>> registration.checkerboard(128, across=8).shape
            (128, 128, 3)

        """
        with self._open_both() as (fixed, warped):
            frame = fixed.frame.fit(longest_px)
            first, second = (render_rgb(slide.read(frame)) for slide in (fixed, warped))
            return checkerboard(first, second, across)

    def view(self, *, port: int | None = None, browser: bool = True) -> RunningView:
        """Look at both slides in a browser, aligned; return at once.

        The moving slide is warped as you look. What is returned has a `link`, and is one in a
        notebook; `close` ends it.

        Args:
            port: The port to listen on; None is the usual one, or any that is free.
            browser: Whether to open a browser.

        Raises:
            InputError: It is not known where a slide is, its size has changed, or the port is
                taken.
            MissingExtraError: The packages of the viewer are not installed.

        Example:
            >>> viewer = registration.view(browser=False)
            >>> viewer.link.startswith("http://127.0.0.1:")
            True
            >>> viewer.close()

        """
        return find_viewer()(self, port=port, browser=browser)

    def open_slide(self, side: Side) -> Slide:
        """Open the slide that was registered; the caller closes it.

        Raises `InputError` for another word than "fixed" and "moving", where it is not known where
        the slide is, and where it is another one now.
        """
        _check_side(side, "side")
        source = self.fixed_source if side == "fixed" else self.moving_source
        frame = self.fixed if side == "fixed" else self.moving
        return open_registered(source, frame, side, self.fingerprints.get(side))

    @contextmanager
    def _open_both(self) -> Iterator[tuple[Slide, WarpedSlide]]:
        """Open the fixed slide and the warped moving one."""
        with self.open_slide("fixed") as fixed, self.warp_slide() as warped:
            yield fixed, warped

    def make_record(
        self, fixed: Slide | Path | str | None = None, moving: Slide | Path | str | None = None
    ) -> dict[str, Any]:
        """Return what `registration.json` says; numbers that are not finite are left as they are.

        `fixed` and `moving` say where the slides are, if it is not known.
        """
        fixed = self.fixed_source if fixed is None else fixed
        moving = self.moving_source if moving is None else moving
        solution = self.solution
        affine = None if solution is None else find_affine_part(solution)
        evidence = self.evidence
        return {
            "status": self.status,
            "reason": self.reason,
            "predicted_rtre": self.predicted_rtre,
            "predicted_um": self.predicted_um,
            "bound_rtre": self.bound_rtre,
            "bound_um": self.bound_um,
            "tissue_um": self.tissue_um,
            "predicted_tissue_rtre": self.predicted_tissue_rtre,
            "bound_tissue_rtre": self.bound_tissue_rtre,
            "evidence": None if evidence is None else asdict(evidence),
            "seconds": self.seconds,
            "flip": None if affine is None else affine.flip,
            "rotation_deg": None if affine is None else affine.rotation_deg,
            "scale": None if affine is None else affine.scale,
            "transform": None if affine is None else TRANSFORM,
            "fixed": describe_source(self.fixed, fixed),
            "moving": describe_source(self.moving, moving),
            "pieces": [asdict(piece) for piece in self.pieces],
            "misfit": None if self.misfit is None else asdict(self.misfit),
            "stages": [{**asdict(stage), "score": stage.score_after} for stage in self.stages],
            "seed": self.seed,
            "config": self.config,
            "version": version("stainbridge"),
        }

    def save(
        self,
        directory: Path | str,
        fixed: Slide | Path | str | None = None,
        moving: Slide | Path | str | None = None,
        *,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Write `registration.json` and, unless it failed, `transform.h5` into a folder.

        Earlier files of these names are replaced. `stainbridge.load` reads them.

        Args:
            directory: The folder; it is made if need be.
            fixed: Where the fixed slide is, if it is not known.
            moving: Where the moving slide is, if it is not known.
            extra: Further entries of the record.

        Raises:
            InputError: The folder cannot be written.

        Example:
            >>> registration.save("result")
            >>> stainbridge.load("result").status
            'ok'

        """
        record = self.make_record(fixed, moving) | (extra or {})
        write_result(Path(directory), record, self.solution)

    def __repr__(self) -> str:
        """Return one line: slides, status and expected error."""
        return f"<Registration {self.moving.label!r} to {self.fixed.label!r}: {self._summary}>"

    @property
    def _summary(self) -> str:
        if self.status == "failed":
            return f"failed, {self.reason}"
        error = f"expected error {self.predicted_rtre:.2%} of the diagonal"
        if math.isfinite(self.tissue_um):
            error = f"expected error {self.predicted_tissue_rtre:.2%} of the tissue's diagonal"
        if self.fixed.calibrated:
            error += f" ({self.predicted_um:.1f} µm)"
        return f"{self.status}, {error}"

    def _repr_html_(self) -> str:
        """Return the verdict and, where the slides can be read, an overlay, for a notebook."""
        return format_verdict(self.status, repr(self)[1:-1], self.reason, self._draw_html())

    def _draw_html(self) -> str:
        if self.status == "failed":
            return ""
        try:
            picture = format_picture(self.overlay(NOTEBOOK_PX), "both slides, overlaid")
        except InputError as error:
            return f"<p>No picture: {escape(str(error))}</p>"
        return f"{picture}<p>Look at both in the browser: <code>registration.view()</code></p>"


def _check_side(side: str, name: str) -> None:
    if side not in get_args(Side):
        raise InputError("no such slide", where=name, expected="fixed or moving", got=side)

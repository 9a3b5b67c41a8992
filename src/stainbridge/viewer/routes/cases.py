"""The list of cases, and what there is to know of one."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.summary import find_affine_part
from stainbridge.viewer.layer import Layer
from stainbridge.viewer.pyramid import TilePyramid
from stainbridge.viewer.rendering import choose_channel_views
from stainbridge.viewer.review import Review, ReviewFile
from stainbridge.viewer.routes.replies import ERRORS, CaseId, TwoNumbers
from stainbridge.viewer.routes.reviews import ReviewReply, describe_review
from stainbridge.viewer.session import CaseState, Session
from stainbridge.viewer.sources import CaseSummary


class CaseEntry(BaseModel):
    """One case of the list."""

    id: str
    title: str
    status: str
    reason: str
    predicted_rtre: float | None
    predicted_um: float | None
    review: ReviewReply


class SessionReply(BaseModel):
    """What there is to look at."""

    title: str
    can_review: bool
    cases: list[CaseEntry]


class ChannelReply(BaseModel):
    """A channel and how it is shown at first."""

    name: str
    colour: str
    low: float
    high: float


class PlaneReply(BaseModel):
    """A plane of pixels, and its tiles."""

    width: int
    height: int
    mpp: TwoNumbers
    tile_px: int
    last_level: int


class LayerReply(BaseModel):
    """One slide of a case."""

    id: str
    title: str
    stain: str | None
    calibrated: bool
    is_rgb: bool
    channels: list[ChannelReply]
    aligned: PlaneReply
    scanned: PlaneReply
    is_aligned: bool
    status: str | None
    reason: str
    predicted_um: float | None
    predicted_rtre: float | None
    rotation_deg: float | None
    flip: bool | None


class CaseReply(BaseModel):
    """A case and its layers, bottom up."""

    id: str
    title: str
    version: int
    layers: list[LayerReply]


def cases_router(session: Session, reviews: ReviewFile | None) -> APIRouter:
    """Return the routes of the list and of one case."""
    router = APIRouter(responses=ERRORS)

    @router.get("/api/session")
    def get_session() -> SessionReply:
        """Return the list of cases."""
        cases = [_describe_state(state, reviews) for state in session.states]
        return SessionReply(title=session.title, can_review=reviews is not None, cases=cases)

    @router.get("/api/cases/{case_id}")
    def get_case(case_id: CaseId) -> CaseReply:
        """Return a case and its layers; its slides are opened."""
        state = session.find(case_id)
        version = state.version
        with session.borrow(case_id) as case:
            layers = [describe_layer(layer) for layer in case.layers]
        return CaseReply(id=case_id, title=state.source.title, version=version, layers=layers)

    return router


def _describe_state(state: CaseState, reviews: ReviewFile | None) -> CaseEntry:
    review = Review() if reviews is None else reviews.get(state.source.title)
    try:
        summary = state.source.summarise()
    except InputError as error:  # one damaged case leaves the others to look at
        summary = CaseSummary("failed", str(error))
    return CaseEntry(
        id=state.id,
        title=state.source.title,
        status=summary.status,
        reason=summary.reason,
        predicted_rtre=summary.predicted_rtre,
        predicted_um=summary.predicted_um,
        review=describe_review(review),
    )


def describe_layer(layer: Layer) -> LayerReply:
    """Return what a browser needs to show a layer."""
    info = layer.original.info
    registration = layer.registration
    is_known = registration is not None and registration.status != "failed"
    affine = find_affine_part(layer.transform) if layer.transform is not None else None
    return LayerReply(
        id=layer.id,
        title=layer.original.frame.label,
        stain=layer.original.stain,
        calibrated=layer.original.frame.calibrated,
        is_rgb=info.is_rgb,
        channels=_describe_channels(layer),
        aligned=_describe_plane(layer.slide.frame),
        scanned=_describe_plane(layer.original.frame),
        is_aligned=layer.is_aligned,
        status=None if registration is None else registration.status,
        reason="" if registration is None else registration.reason,
        predicted_um=registration.predicted_um if registration is not None and is_known else None,
        predicted_rtre=(
            registration.predicted_rtre if registration is not None and is_known else None
        ),
        rotation_deg=None if affine is None else affine.rotation_deg,
        flip=None if affine is None else affine.flip,
    )


def _describe_plane(frame: Frame) -> PlaneReply:
    pyramid = TilePyramid(frame)
    return PlaneReply(
        width=frame.width,
        height=frame.height,
        mpp=list(frame.mpp),
        tile_px=pyramid.tile_px,
        last_level=pyramid.last_level,
    )


def _describe_channels(layer: Layer) -> list[ChannelReply]:
    views = choose_channel_views(layer.original)
    return [
        ChannelReply(
            name=layer.original.info.channels[view.index].name,
            colour="{:02x}{:02x}{:02x}".format(*view.colour),
            low=view.low,
            high=view.high,
        )
        for view in views
    ]

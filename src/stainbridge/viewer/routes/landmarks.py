"""Landmarks placed by hand, and the registration from them."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from stainbridge.viewer.correction import Correction
from stainbridge.viewer.landmarks import MAX_PAIRS, PairSet, Side, measure_errors, to_geojson
from stainbridge.viewer.layer import CANDIDATE
from stainbridge.viewer.routes.points import Position, require_transform
from stainbridge.viewer.routes.replies import BINARY, ERRORS, CaseId, LayerId, TwoNumbers
from stainbridge.viewer.session import Session
from stainbridge.viewer.trial import Preset, TrialState


class Pair(BaseModel):
    """A point of each slide, in full-resolution pixels."""

    fixed: Position
    moving: Position


class PairsRequest(BaseModel):
    """All pairs of a layer."""

    pairs: Annotated[list[Pair], Field(max_length=MAX_PAIRS)]


class PairReply(BaseModel):
    """A pair, where its moving point lies on the fixed slide, and how far off that is."""

    fixed: TwoNumbers
    moving: TwoNumbers
    on_fixed: TwoNumbers | None
    error_um: float | None
    candidate_um: float | None


class PairsReply(BaseModel):
    """All pairs, their errors under the transform, and under the new one where there is one."""

    pairs: list[PairReply]
    median_um: float | None
    candidate_median_um: float | None
    can_save: bool
    can_register: bool


class SavedReply(BaseModel):
    """The names of the files that were written, in the result's folder."""

    files: list[str]


class TrialAsked(BaseModel):
    """How much work to do."""

    preset: Preset = "default"


class TrialReply(BaseModel):
    """How far the registration is; the version of the case, which rises when it is done."""

    state: TrialState
    stage: str
    fraction: float
    reason: str
    version: int


def landmarks_router(session: Session, correction: Correction) -> APIRouter:
    """Return the routes of landmarks and of the registration from them."""
    router = APIRouter(prefix="/api/cases/{case_id}", responses=ERRORS)

    @router.get("/layers/{layer_id}/landmarks")
    def get_landmarks(case_id: CaseId, layer_id: LayerId) -> PairsReply:
        """Return the pairs of a layer; at first those that were saved."""
        return _describe(session, correction, case_id, layer_id)

    @router.put("/layers/{layer_id}/landmarks")
    def put_landmarks(case_id: CaseId, layer_id: LayerId, asked: PairsRequest) -> PairsReply:
        """Replace the pairs of a layer; nothing is written."""
        pairs = PairSet(
            tuple((pair.fixed[0], pair.fixed[1]) for pair in asked.pairs),
            tuple((pair.moving[0], pair.moving[1]) for pair in asked.pairs),
        )
        correction.put_pairs(case_id, layer_id, pairs)
        return _describe(session, correction, case_id, layer_id)

    @router.post("/layers/{layer_id}/landmarks/save")
    def save_landmarks(case_id: CaseId, layer_id: LayerId) -> SavedReply:
        """Write the pairs into the result's folder, as CSV and GeoJSON."""
        return SavedReply(files=list(correction.save_pairs(case_id, layer_id)))

    @router.get(
        "/layers/{layer_id}/landmarks/{side}.{kind}",
        response_class=Response,
        responses={200: {"content": {"text/csv": BINARY, "application/geo+json": {"schema": {}}}}},
    )
    def download_landmarks(
        case_id: CaseId, layer_id: LayerId, side: Side, kind: Literal["csv", "geojson"]
    ) -> Response:
        """Return the pairs of one side as a file."""
        pairs = correction.get_pairs(case_id, layer_id)
        headers = {"Content-Disposition": f'attachment; filename="{side}.{kind}"'}
        if kind == "geojson":
            text = json.dumps(to_geojson(pairs, side))
            return Response(text, media_type="application/geo+json", headers=headers)
        rows = zip(pairs.labels, pairs.points(side).tolist(), strict=True)
        lines = [",X,Y", *(f"{label},{x:.4f},{y:.4f}" for label, (x, y) in rows)]
        return Response("\n".join(lines) + "\n", media_type="text/csv", headers=headers)

    @router.get("/trial")
    def get_trial(case_id: CaseId) -> TrialReply:
        """Return how far the registration from landmarks is."""
        return _report(session, correction, case_id)

    @router.post("/layers/{layer_id}/trial")
    def start_trial(case_id: CaseId, layer_id: LayerId, asked: TrialAsked) -> TrialReply:
        """Register anew from the pairs, in the background."""
        correction.start(case_id, layer_id, asked.preset)
        return _report(session, correction, case_id)

    @router.delete("/trial")
    def drop_trial(case_id: CaseId) -> TrialReply:
        """Stop the registration, or forget its result; the old result stays."""
        correction.drop(case_id)
        return _report(session, correction, case_id)

    @router.post("/layers/{layer_id}/trial/keep")
    def keep_trial(case_id: CaseId, layer_id: LayerId) -> TrialReply:
        """Replace the old result by the new one; the old files stay in `replaced/`."""
        correction.keep(case_id, layer_id)
        return _report(session, correction, case_id)

    return router


def _report(session: Session, correction: Correction, case_id: str) -> TrialReply:
    report = correction.report(case_id)
    return TrialReply(
        state=report.state,
        stage=report.stage,
        fraction=report.fraction,
        reason=report.reason,
        version=session.find(case_id).version,
    )


def _describe(session: Session, correction: Correction, case_id: str, layer_id: str) -> PairsReply:
    pairs = correction.get_pairs(case_id, layer_id)
    with session.borrow(case_id) as case, session.borrow_layer(case_id, layer_id) as layer:
        measured = measure_errors(pairs, require_transform(layer))
        candidate = case.find_layer(CANDIDATE)
        others = None
        if candidate is not None and candidate.transform is not None and candidate.is_aligned:
            others = measure_errors(pairs, candidate.transform).errors_um
        can_save = layer.folder is not None
    rows = zip(
        pairs.fixed,
        pairs.moving,
        measured.moved_px.tolist(),
        measured.errors_um.tolist(),
        [None] * len(pairs.fixed) if others is None else others.tolist(),
        strict=True,
    )
    return PairsReply(
        pairs=[_describe_pair(*row) for row in rows],
        median_um=_median(measured.errors_um),
        candidate_median_um=None if others is None else _median(others),
        can_save=can_save,
        can_register=correction.can_register,
    )


def _describe_pair(
    fixed: tuple[float, float],
    moving: tuple[float, float],
    moved: list[float],
    error_um: float,
    candidate_um: float | None,
) -> PairReply:
    is_known = bool(np.isfinite([*moved, error_um]).all())
    is_new_known = candidate_um is not None and bool(np.isfinite(candidate_um))
    return PairReply(
        fixed=list(fixed),
        moving=list(moving),
        on_fixed=moved if is_known else None,
        error_um=error_um if is_known else None,
        candidate_um=candidate_um if is_new_known else None,
    )


def _median(errors_um: Any) -> float | None:
    known = errors_um[np.isfinite(errors_um)]
    return float(np.median(known)) if len(known) else None

"""Points, grids, heat maps and annotations: what a transform does to them."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from stainbridge.errors import InputError
from stainbridge.geometry.geojson import warp_geojson
from stainbridge.geometry.transform import Affine, Transform
from stainbridge.viewer.answers import compute_for
from stainbridge.viewer.encoding import encode_picture, media_type
from stainbridge.viewer.heat_maps import MapKind, draw_agreement, draw_area, trace_grid
from stainbridge.viewer.layer import Layer
from stainbridge.viewer.newest_first import NewestFirstPool
from stainbridge.viewer.routes.replies import BINARY, ERRORS, CaseId, LayerId, TwoNumbers
from stainbridge.viewer.session import Session

#: Most points of one request.
MAX_POINTS = 100_000
Coordinate = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
Position = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]
To = Literal["layer", "fixed"]


class PointsRequest(BaseModel):
    """Points in full-resolution pixels, to be brought from one slide to the other."""

    points: Annotated[list[Position], Field(max_length=MAX_POINTS)]
    to: To


class PointsReply(BaseModel):
    """The same points on the other slide; null where they have no place there."""

    points: list[TwoNumbers | None]


class GridReply(BaseModel):
    """Lines of the moving slide's grid, in pixels of the fixed slide."""

    lines: list[list[TwoNumbers]]


def points_router(session: Session, pool: NewestFirstPool) -> APIRouter:
    """Return the routes of what a transform moves and does."""
    router = APIRouter(prefix="/api/cases/{case_id}/layers/{layer_id}", responses=ERRORS)

    @router.post("/points")
    def move_points(case_id: CaseId, layer_id: LayerId, asked: PointsRequest) -> PointsReply:
        """Bring points from the fixed slide to a layer's own, or back."""
        with session.borrow_layer(case_id, layer_id) as layer:
            transform = transform_to(layer, asked.to)
            points = np.array(asked.points, float).reshape(-1, 2)
            moved = transform.target.frame.to_px(transform(transform.source.frame.to_um(points)))
        known = [[x, y] if math.isfinite(x + y) else None for x, y in moved.tolist()]
        return PointsReply(points=known)

    @router.get("/grid")
    def get_grid(case_id: CaseId, layer_id: LayerId) -> GridReply:
        """Return a square grid of the moving slide as it lies on the fixed one."""
        with session.borrow_layer(case_id, layer_id) as layer:
            lines = trace_grid(transform_to(layer, "layer"))
        return GridReply.model_validate({"lines": lines})

    @router.get(
        "/maps/{kind}",
        response_class=Response,
        responses={200: {"content": {media_type("png"): BINARY}}},
    )
    async def get_map(
        request: Request, case_id: CaseId, layer_id: LayerId, kind: MapKind
    ) -> Response:
        """Return a map over the fixed slide: change of area, or agreement."""

        def draw() -> tuple[bytes, dict[str, str]]:
            with session.borrow_pair(case_id, layer_id) as (fixed, layer):
                transform = transform_to(layer, "layer")
                if kind == "area":
                    picture, limit = draw_area(transform)
                    return encode_picture(picture, "png"), {"X-Limit": f"{limit:g}"}
                picture = draw_agreement(fixed.slide, layer.slide)
                return encode_picture(picture, "png"), {}

        content, headers = await compute_for(request, pool, draw)
        return Response(content, media_type=media_type("png"), headers=headers)

    @router.post(
        "/annotations",
        response_class=Response,
        responses={200: {"content": {"application/geo+json": {"schema": {}}}}},
    )
    def move_annotations(
        case_id: CaseId, layer_id: LayerId, to: To, data: Annotated[Any, Body()]
    ) -> Response:
        """Move GeoJSON annotations from the fixed slide to a layer's own, or back."""
        with session.borrow_pair(case_id, layer_id) as (fixed, layer):
            fixed_corner = fixed.original.info.bounds_px
            own_corner = layer.original.info.bounds_px
            corners = (fixed_corner, own_corner) if to == "layer" else (own_corner, fixed_corner)
            moved = warp_geojson(
                data, transform_to(layer, to), from_offset_px=corners[0], to_offset_px=corners[1]
            )
        text = json.dumps(moved, ensure_ascii=False, separators=(",", ":"))
        return Response(text.encode("utf-8", "replace"), media_type="application/geo+json")

    return router


def transform_to(layer: Layer, to: To) -> Transform:
    """Return the transform whose points come out on the layer's own slide, or on the fixed one.

    For the fixed slide itself that is the identity.
    """
    if layer.transform is None:
        space = layer.original.frame.space
        return Affine(np.eye(3), space, space)
    return layer.transform if to == "layer" else layer.transform.inverse()


def require_transform(layer: Layer) -> Transform:
    """Return the transform of a layer; raises `InputError` for the fixed slide."""
    if layer.transform is None:
        raise InputError("the fixed slide has no transform", expected="another layer")
    return layer.transform

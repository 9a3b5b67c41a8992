"""Tiles, with the name of their content so that a browser asks for each once."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from stainbridge.viewer.answers import compute_for
from stainbridge.viewer.encoding import PictureFormat, media_type
from stainbridge.viewer.newest_first import NewestFirstPool
from stainbridge.viewer.rendering import parse_rendering
from stainbridge.viewer.routes.replies import BINARY, ERRORS, CaseId, LayerId
from stainbridge.viewer.session import Session
from stainbridge.viewer.tile_reader import TileAddress, TileReader

#: Tiles of one version never change; the version is in their URL.
FOR_AN_HOUR = "private, max-age=3600, immutable"
#: Tile numbers fit in 32 bits.
LARGEST_INDEX = 2**31 - 1

Index = Annotated[int, Path(ge=0, le=LARGEST_INDEX)]
PICTURES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type(name): BINARY for name in ("jpg", "webp", "png")}},
    304: {"description": "The browser has it."},
    **ERRORS,
}


def tiles_router(
    session: Session, reader: TileReader, pool: NewestFirstPool, run_id: str
) -> APIRouter:
    """Return the routes of tiles."""
    router = APIRouter()

    @router.get(
        "/api/cases/{case_id}/layers/{layer_id}/tiles/{level}/{column}/{row}",
        response_class=Response,
        responses=PICTURES,
    )
    async def get_tile(
        request: Request,
        case_id: CaseId,
        layer_id: LayerId,
        level: Annotated[int, Path(ge=0, le=40)],
        column: Index,
        row: Index,
        encoding: PictureFormat = "jpg",
        placed: Literal["aligned", "unaligned"] = "aligned",
        stain: Annotated[str | None, Query(max_length=20)] = None,
        colour: Annotated[str | None, Query(max_length=6)] = None,
        channels: Annotated[str | None, Query(max_length=4000)] = None,
    ) -> Response:
        """Return one tile of a layer, aligned to the fixed slide or as before."""
        rendering = parse_rendering(stain, colour, channels)
        version = str(session.find(case_id).version)
        name = (run_id, version, case_id, layer_id, placed)
        address = TileAddress(name, level, column, row)
        etag = _name_content(address, rendering, encoding)
        headers = {"ETag": etag, "Cache-Control": FOR_AN_HOUR}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)

        def read() -> bytes:
            with session.borrow_layer(case_id, layer_id) as layer:
                slide = layer.slide if placed == "aligned" else layer.unaligned
                return reader.read(slide, address, rendering, encoding)

        content = await compute_for(request, pool, read)
        return Response(content, media_type=media_type(encoding), headers=headers)

    return router


def _name_content(*parts: object) -> str:
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'

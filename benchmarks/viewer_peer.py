"""OpenSlide with DeepZoom behind the smallest server: what plain tiles are compared with."""

from __future__ import annotations

import sys
from io import BytesIO

import openslide
import uvicorn
from openslide.deepzoom import DeepZoomGenerator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stainbridge.viewer.listen import listen

#: As the viewer's own tiles are written.
JPEG_QUALITY = 88
TILE_PX = 256


def make_app(path: str) -> Starlette:
    slide = openslide.OpenSlide(path)
    generator = DeepZoomGenerator(slide, tile_size=TILE_PX, overlap=0, limit_bounds=False)

    def get_tile(request: Request) -> Response:
        level, column, row = (request.path_params[name] for name in ("level", "column", "row"))
        buffer = BytesIO()
        generator.get_tile(level, (column, row)).save(buffer, "JPEG", quality=JPEG_QUALITY)
        return Response(buffer.getvalue(), media_type="image/jpeg")

    return Starlette(routes=[Route("/{level:int}/{column:int}/{row:int}", get_tile)])


def main() -> None:
    listener = listen("127.0.0.1", 0)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/?token=none", file=sys.stderr, flush=True)
    config = uvicorn.Config(make_app(sys.argv[1]), log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

"""The page and the files it is made of, all of them inside the package."""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from stainbridge.viewer.access import Access

#: The folder of the front end.
STATIC = str(files("stainbridge.viewer") / "static")


def page_router(access: Access) -> APIRouter:
    """Return the routes of the page, which turns the token of a link into a cookie."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def get_page(request: Request) -> Response:
        if "token" not in request.query_params:
            return FileResponse(f"{STATIC}/index.html", headers={"Cache-Control": "no-cache"})
        reply = RedirectResponse("/", 303)
        # Lax: the link may stand on another page, such as a notebook's.
        reply.set_cookie(access.cookie, access.token, httponly=True, samesite="lax")
        return reply

    @router.get("/api/link")
    async def get_link() -> dict[str, str]:
        """Return the path that lets another browser in; only who is in may ask."""
        return {"path": f"/?{urlencode({'token': access.token})}"}

    return router


def static_files() -> StaticFiles:
    """Return the files of the page; nothing outside their folder is served."""
    return StaticFiles(directory=STATIC)

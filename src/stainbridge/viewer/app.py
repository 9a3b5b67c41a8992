"""The app: a factory that is handed what there is to look at. It opens no path that a URL names."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from stainbridge.viewer.access import Access
from stainbridge.viewer.correction import Correction
from stainbridge.viewer.guard import Guard
from stainbridge.viewer.newest_first import NewestFirstPool
from stainbridge.viewer.review import ReviewFile
from stainbridge.viewer.routes.cases import cases_router
from stainbridge.viewer.routes.landmarks import landmarks_router
from stainbridge.viewer.routes.page import page_router, static_files
from stainbridge.viewer.routes.points import points_router
from stainbridge.viewer.routes.replies import add_error_replies
from stainbridge.viewer.routes.reviews import reviews_router
from stainbridge.viewer.routes.tiles import tiles_router
from stainbridge.viewer.session import Session
from stainbridge.viewer.tile_reader import TileReader
from stainbridge.viewer.trial import RunTrial

#: Threads that read tiles: decoding and warping release Python's lock.
TILE_THREADS = 3


def create_app(
    session: Session,
    access: Access,
    *,
    reviews: ReviewFile | None = None,
    run_trial: RunTrial | None = None,
    result_files: tuple[str, ...] = (),
    threads: int = TILE_THREADS,
) -> FastAPI:
    """Return the app for a session, which it closes when it ends.

    Args:
        session: What there is to look at.
        access: The token and the hosts.
        reviews: Where reviews are kept; None: nowhere.
        run_trial: Registers anew from landmarks; None: that is not offered.
        result_files: The names of a result's files, its record first.
        threads: Threads that read tiles.

    """
    pool = NewestFirstPool(threads)
    correction = Correction(session, run_trial, result_files)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        correction.close()
        pool.close()
        session.close()

    app = FastAPI(title="stainbridge view", docs_url=None, redoc_url=None, lifespan=lifespan)
    add_error_replies(app)
    # Routes are tried in this order, and most requests are for tiles.
    app.include_router(tiles_router(session, TileReader(), pool, secrets.token_hex(4)))
    app.include_router(page_router(access))
    app.include_router(cases_router(session, reviews))
    app.include_router(points_router(session, pool))
    app.include_router(landmarks_router(session, correction))
    app.include_router(reviews_router(session, reviews, pool))
    app.mount("/static", static_files())
    app.add_middleware(Guard, access=access)
    return app

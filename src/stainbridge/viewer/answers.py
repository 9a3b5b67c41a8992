"""How an answer is computed: on a few threads, newest first, and not for who has left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request

from stainbridge.viewer.newest_first import NewestFirstPool

ResultT = TypeVar("ResultT")


class ClientLeftError(Exception):
    """The browser no longer wants what it asked for."""


async def compute_for(
    request: Request, pool: NewestFirstPool, work: Callable[[], ResultT]
) -> ResultT:
    """Return what `work` returns; raise what it raises.

    Raises `ClientLeftError` when the client has left before the work was done; work that was not
    begun is not done then.
    """
    waiting: asyncio.Future[ResultT] = asyncio.wrap_future(pool.submit(work))
    leaving: asyncio.Future[None] = asyncio.create_task(_wait_until_left(request))
    try:
        either: set[asyncio.Future[Any]] = {waiting, leaving}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not waiting.done():
            waiting.cancel()
    if waiting.cancelled():
        raise ClientLeftError
    return waiting.result()


async def _wait_until_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

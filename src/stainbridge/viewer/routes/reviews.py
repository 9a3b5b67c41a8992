"""Judging cases, and their thumbnails."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from stainbridge.errors import InputError
from stainbridge.viewer.answers import compute_for
from stainbridge.viewer.encoding import encode_picture, media_type
from stainbridge.viewer.newest_first import NewestFirstPool
from stainbridge.viewer.review import MAX_NOTE, Review, ReviewFile, Verdict
from stainbridge.viewer.routes.replies import BINARY, ERRORS, CaseId
from stainbridge.viewer.session import Session
from stainbridge.viewer.thumbnails import draw_thumbnail


class ReviewAsked(BaseModel):
    """What somebody thinks of a case."""

    verdict: Verdict | None = None
    note: Annotated[str, Field(max_length=MAX_NOTE)] = ""


class ReviewReply(BaseModel):
    """What is kept of it."""

    verdict: Verdict | None
    note: str
    changed: str | None


def reviews_router(
    session: Session, reviews: ReviewFile | None, pool: NewestFirstPool
) -> APIRouter:
    """Return the routes of reviews and thumbnails."""
    router = APIRouter(prefix="/api/cases/{case_id}", responses=ERRORS)

    @router.put("/review")
    def put_review(case_id: CaseId, asked: ReviewAsked) -> ReviewReply:
        """Keep what somebody thinks of a case."""
        state = session.find(case_id)
        if reviews is None:
            raise InputError("there is no folder to keep reviews in", remedy="open a result")
        return describe_review(reviews.put(state.source.title, asked.verdict, asked.note))

    @router.get(
        "/thumbnail",
        response_class=Response,
        responses={200: {"content": {media_type("jpg"): BINARY}}},
    )
    async def get_thumbnail(request: Request, case_id: CaseId) -> Response:
        """Return a small picture of the case."""

        def draw() -> bytes:
            with session.borrow(case_id) as case:
                return encode_picture(draw_thumbnail(case), "jpg")

        content = await compute_for(request, pool, draw)
        headers = {"Cache-Control": "private, max-age=300"}
        return Response(content, media_type=media_type("jpg"), headers=headers)

    return router


def describe_review(review: Review) -> ReviewReply:
    """Return a review as it is sent."""
    return ReviewReply(verdict=review.verdict, note=review.note, changed=review.changed)

"""What all routes share: ids, the shape of an error, which status an error has."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Path, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from stainbridge.errors import InputError, MissingFileError, RegistrationError
from stainbridge.viewer.answers import ClientLeftError
from stainbridge.viewer.pyramid import NoSuchTileError
from stainbridge.viewer.session import NoSuchCaseError

CaseId = Annotated[str, Path(pattern=r"^case-\d{1,6}$")]
LayerId = Annotated[str, Path(pattern=r"^(fixed|moving(-\d{1,3})?|candidate)$")]

#: The status of what a client that has left would have got; nobody sees it.
CLIENT_LEFT = 499


#: x and y, or width and height.
TwoNumbers = Annotated[list[float], Field(min_length=2, max_length=2)]


class ErrorReply(BaseModel):
    """One line that says what is wrong."""

    error: str


#: The schema of a body that is no JSON.
BINARY = {"schema": {"type": "string", "format": "binary"}}
ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorReply, "description": "What was asked for cannot be shown."},
    401: {"model": ErrorReply, "description": "No token, or a wrong one."},
    404: {"model": ErrorReply, "description": "No such case, layer or tile."},
    410: {"model": ErrorReply, "description": "A slide or a result is no longer there."},
    422: {"model": ErrorReply, "description": "The request is not of the documented form."},
}


def add_error_replies(app: FastAPI) -> None:
    """Make every expected error one line of JSON with its status."""

    @app.exception_handler(InputError)
    async def reply_input_error(_: Request, error: InputError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, _status_of(error))

    @app.exception_handler(RegistrationError)
    async def reply_failed(_: Request, error: RegistrationError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 400)

    @app.exception_handler(ClientLeftError)
    async def reply_nobody(_: Request, __: ClientLeftError) -> Response:
        return Response(status_code=CLIENT_LEFT)

    @app.exception_handler(HTTPException)
    async def reply_http_error(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def reply_validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"error": f"{place}: {first['msg']}"}, 422)


def _status_of(error: InputError) -> int:
    if isinstance(error, (NoSuchCaseError, NoSuchTileError)):
        return 404
    return 410 if isinstance(error, MissingFileError) else 400

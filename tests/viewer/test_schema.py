"""Every route answers as it is documented, whatever it is asked."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    response_schema_conformance,
    status_code_conformance,
)
from tests.viewer.conftest import ACCESS, SIDE_PX, serve_session

from stainbridge.viewer.session import Session

assert SIDE_PX


@pytest.fixture
def schema(session: Session) -> Iterator[schemathesis.schemas.BaseSchema]:
    with serve_session(session) as client:
        url = f"{client.base_url}/openapi.json"
        yield schemathesis.openapi.from_url(
            url, headers={"Authorization": f"Bearer {ACCESS.token}"}
        )


def test_the_document_names_every_route(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) >= 14
    assert not [path for path in paths if "{path}" in path]


def test_answers_are_as_documented(schema: schemathesis.schemas.BaseSchema) -> None:
    for result in schema.get_all_operations():
        operation = result.ok()
        strategy = operation.as_strategy()

        @settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @_given(strategy)
        def ask(case: schemathesis.Case) -> None:
            case.path_parameters.update(
                {"case_id": "case-1", "layer_id": "moving"}
                if "case_id" in case.path_parameters
                else {}
            )
            response = case.call(headers={"Authorization": f"Bearer {ACCESS.token}"}, timeout=20)
            assert response.status_code < 500
            case.validate_response(
                response, checks=[status_code_conformance, response_schema_conformance]
            )

        ask()


def _given(strategy: object) -> object:
    from hypothesis import given

    return given(case=strategy)

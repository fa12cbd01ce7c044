"""OpenAPI: corrections of FastAPI's description: bodies that routes read themselves, and a common header."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

REQUEST_ID: dict[str, Any] = {
    "in": "header",
    "name": "X-Request-ID",
    "schema": {"type": "string"},
    "example": "gui-1",
    "description": "Names this request in the service's logs and in its answer: up to 64 of A-Z a-z 0-9 _ . "
    "and -. Without one of this form, the service gives a name.",
}

NOT_OURS = ("HTTPValidationError", "ValidationError")
"""FastAPI's models for wrong parameters: here the answer is a problem, which routes document themselves."""


def describe_bodies(app: FastAPI, *models: type[BaseModel]) -> None:
    """Add the schemas of `models`, and of their fields, to the components of `app`."""
    generate = app.openapi
    described: list[dict[str, Any]] = []

    def completed() -> dict[str, Any]:
        if not described:
            document = generate()
            _add_schemas(document, models)
            for item in document["paths"].values():
                for operation in item.values():
                    _drop_what_is_not_ours(operation["responses"])
                    operation.setdefault("parameters", []).append(REQUEST_ID)
            described.append(document)
        return described[0]

    # FastAPI's documented way to extend it: replace the method on the app.
    app.openapi = completed  # type: ignore[method-assign]


def _add_schemas(document: dict[str, Any], models: tuple[type[BaseModel], ...]) -> None:
    _, described = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    schemas = document["components"]["schemas"]
    for name, schema in described["$defs"].items():
        schemas.setdefault(name, schema)
    for name in NOT_OURS:
        schemas.pop(name, None)


def _drop_what_is_not_ours(responses: dict[str, Any]) -> None:
    for status, response in list(responses.items()):
        content = response.get("content", {}).get("application/json", {})
        if content.get("schema") == {"$ref": f"#/components/schemas/{NOT_OURS[0]}"}:
            del responses[status]

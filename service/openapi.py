"""OpenAPI: the schemas of bodies that routes read themselves, put beside those that FastAPI finds."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema


def describe_bodies(app: FastAPI, *models: type[BaseModel]) -> None:
    """Have `app` state the schemas of `models`, and of what they are made of, among its components."""
    found = app.openapi

    def with_bodies() -> dict[str, Any]:
        document = found()
        _, described = models_json_schema(
            [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
        )
        known = document["components"]["schemas"]
        for name, schema in described["$defs"].items():
            known.setdefault(name, schema)
        return document

    # How FastAPI has it extended: the method is replaced on the app itself.
    app.openapi = with_bodies  # type: ignore[method-assign]

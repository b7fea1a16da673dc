"""The OpenAPI document, and its page: written when first asked for, for it imports every engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import BaseModel

from functions.api import shapes
from functions.api.answers import STATUS
from functions.api.steps import Asked
from functions.wiring import engine_of
from shared.contracts.artifact_contents import CONTENTS
from shared.contracts.timeline import Timeline
from shared.pipeline import step_named

_REF = "#/components/schemas/{model}"
_DESCRIPTION = "Turns raw recordings into finished material. See docs/api.md."
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Rushes: HTTP API</title>
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/page.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = "SwaggerUIBundle({url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true});\n"

Schema = dict[str, Any]


def install(app: FastAPI) -> None:
    """Have the application describe itself, and serve the page that shows it."""

    def described() -> Schema:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
    app.include_router(_page())


def document(app: FastAPI) -> Schema:
    """The whole OpenAPI document."""
    schema = get_openapi(
        title="Rushes", version=app.version, description=_DESCRIPTION, routes=app.routes
    )
    components: Schema = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    models: list[type[BaseModel]] = [
        shapes.ErrorAnswer,
        shapes.StepAnswer,
        *shapes.ANSWERS.values(),
        *CONTENTS.values(),
    ]
    for model in models:
        _add_model(components, model)
    components["Timeline"] = _params_schema(components, Timeline)
    schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"token": []}, {}]
    content = schema["paths"]["/artifacts/{artifact_id}/content"]["get"]["responses"]["200"]
    content["content"] = _artifact_content()
    for path, method, operation in _operations(schema):
        _describe_body(components, operation)
        _describe_answers(path, method, operation)
    return schema


def _operations(schema: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _describe_body(components: Schema, operation: Schema) -> None:
    step = operation.pop("x-rushes-step", None)
    fixed = operation.pop("x-rushes-fixed", [])
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if step is not None:
        operation["requestBody"]["content"]["application/json"]["schema"] = _step_body(
            components, step, fixed
        )
    elif content is not None and content["schema"].get("title") == "Timeline":
        content["schema"] = {"$ref": _REF.format(model="Timeline")}


def _step_body(components: Schema, step: str, fixed: list[str]) -> Schema:
    """The step's own params, and what stands beside them."""
    body = _params_schema(components, engine_of(step_named(step)).params)
    beside = Asked.model_json_schema()
    for name in fixed:
        del body["properties"][name]
    body["properties"] = {**beside["properties"], **body.get("properties", {})}
    body["required"] = [*beside["required"], *body.get("required", [])]
    if step == "render.audio":
        body["properties"]["timeline_id"] = {
            "type": "string",
            "description": "A stored one, in place of timeline.",
        }
        del body["required"]
    return body


def _artifact_content() -> Schema:
    """A document of a known kind, another JSON, or any other file."""
    known: list[Schema] = [
        {"$ref": _REF.format(model=model.__name__)} for model in CONTENTS.values()
    ]
    other: Schema = {"type": "object", "description": "Of another kind."}
    return {
        "application/json": {"schema": {"anyOf": [*known, other]}},
        "*/*": {"schema": {"type": "string", "format": "binary"}},
    }


def _params_schema(components: Schema, model: type[BaseModel]) -> Schema:
    """The model's schema, its parts among the components."""
    schema = model.model_json_schema(ref_template=_REF)
    components.update(schema.pop("$defs", {}))
    return schema


def _add_model(components: Schema, model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template=_REF, mode="serialization")
    components.update(schema.pop("$defs", {}))
    components[model.__name__] = schema


def _describe_answers(path: str, method: str, operation: Schema) -> None:
    answers: Schema = operation["responses"]
    answers.pop("422", None)
    is_step = "steps" in operation.get("tags", []) and method == "post"
    model = shapes.StepAnswer if is_step else shapes.ANSWERS.get((method, path))
    if model is not None:
        schema = {"$ref": _REF.format(model=model.__name__)}
        for told in answers.values():
            told["content"] = {"application/json": {"schema": schema}}
    if is_step:
        answers["202"] = {**answers["200"], "description": "It works; follow the run."}
    for status, description in shapes.OTHERS.get((method, path), {}).items():
        answers[status] = {"description": description}
    error = {"application/json": {"schema": {"$ref": _REF.format(model="ErrorAnswer")}}}
    for status in sorted({*map(str, STATUS.values()), "400", "412"}):
        answers.setdefault(status, {"description": "An error.", "content": error})


def _page() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    def page() -> HTMLResponse:
        return HTMLResponse(_PAGE)

    @router.get("/docs/start.js")
    def start() -> Response:
        return Response(_START, media_type="text/javascript")

    @router.get("/docs/page.js")
    def script() -> FileResponse:
        return FileResponse(_vendored("swagger-ui-bundle.js"))

    @router.get("/docs/page.css")
    def style() -> FileResponse:
        return FileResponse(_vendored("swagger-ui.css"))

    return router


def _vendored(name: str) -> str:
    """A file of Swagger UI, from the package that carries it."""
    from importlib.resources import files

    return str(files("fastapi_swagger.resources") / name)

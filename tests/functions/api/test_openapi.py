"""The OpenAPI document: true, complete, and nothing that it allows breaks the server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from functions.api.app import build
from functions.api.openapi import document
from functions.wiring import engine_of
from shared.contracts.artifact_contents import CONTENTS
from shared.contracts.context import RequestContext
from shared.homes.home import open_home
from shared.pipeline import STEPS
from shared.settings import Settings

DOCS = Path(__file__).parents[3] / "docs" / "api.md"
CTX = RequestContext(tenant_id="t1", env="dev")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    # With tokens for identity any host name is answered, as the fuzzer's client wants.
    config = Settings(data=tmp_path_factory.mktemp("home"), identity="oidc")
    return build(open_home(config, engine_of), lambda _: CTX)


@pytest.fixture(scope="module")
def described(app: Any) -> dict[str, Any]:
    return document(app)


def test_each_path_is_documented(described: dict[str, Any]) -> None:
    captions = "/video/captions/{artifact_id}"
    text = re.sub(r"`(/[a-z]{3,4})`", rf"`GET {captions}\1`", DOCS.read_text())
    for path in described["paths"]:
        assert f"{path}`" in text or f"{path}?" in text, path


def test_each_documented_path_is_there(described: dict[str, Any]) -> None:
    named = re.findall(r"`(GET|POST|PUT|DELETE) (/[^`?\s]*)", DOCS.read_text())
    assert len(named) > 40
    for method, path in named:
        assert method.lower() in described["paths"][path], (method, path)


def test_a_steps_body_is_its_params_model(described: dict[str, Any]) -> None:
    operations = {
        operation["summary"].removeprefix("Ask for "): operation
        for methods in described["paths"].values()
        for operation in methods.values()
    }
    for row in STEPS:
        content = operations[row.name]["requestBody"]["content"]["application/json"]
        properties = content["schema"]["properties"]
        assert set(engine_of(row).params.model_fields) <= set(properties)
        assert {"asset_id", "artifact_id", "force", "tenant_id", "env"} <= set(properties)
        assert content["schema"]["additionalProperties"] is False


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    def refs(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
            for value in node.values():
                yield from refs(value)
        elif isinstance(node, list):
            for value in node:
                yield from refs(value)

    for ref in refs(described):
        assert ref.rsplit("/", 1)[1] in described["components"]["schemas"], ref


def test_documents_are_described_each_under_a_name_of_its_own(described: dict[str, Any]) -> None:
    operation = described["paths"]["/artifacts/{artifact_id}/content"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    *known, other = schema["anyOf"]
    assert [one["$ref"].rsplit("/", 1)[1] for one in known] == [
        model.__name__ for model in CONTENTS.values()
    ]
    assert other["type"] == "object"
    components = described["components"]["schemas"]
    for model in CONTENTS.values():
        own = model.model_json_schema(
            ref_template="#/components/schemas/{model}", mode="serialization"
        )
        parts = own.pop("$defs", {})
        for name, part in {**parts, model.__name__: own}.items():
            assert components[name] == part, f"{name} is also something else"


@pytest.mark.heavy
def test_nothing_that_the_document_allows_breaks_the_server(app: Any) -> None:
    import schemathesis  # here, for it takes seconds to import
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    claims = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    operations = [
        found.ok()
        for found in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations()
    ]
    assert len(operations) > 60

    for operation in operations:

        @settings(
            max_examples=3,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.as_strategy())
        def breaks_nothing(case: Any) -> None:
            case.validate_response(case.call(), checks=claims)

        breaks_nothing()

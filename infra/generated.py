"""What is written from the pipeline table, the errors, the documents' models, presets and patterns.

Run it after changing one of them:

python -m infra.generated
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from functions.perform.format import schema_text
from functions.transform.macros import MACROS
from functions.transform.presets import PRESETS
from shared import errors
from shared.audio.parameters import ParameterSpec
from shared.contracts.artifact import COMMON_META, Kind
from shared.contracts.artifact_contents import CONTENTS
from shared.contracts.result_document import ResultDocument
from shared.contracts.row import Step
from shared.contracts.topics import (
    DEAD_TOPIC,
    RESULTS_TOPIC,
    SUBSCRIBED_WITH,
    UPLOADS_TOPIC,
    steps_topic,
)
from shared.errors import Permanent, RushesError, Transient
from shared.homes.home import consumed_topics
from shared.pipeline import KINDS, STEPS, functions

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_NOTE = "<!-- Written by `python -m infra.generated`; a test fails when it is stale. -->\n"
_PATHS_BEGIN = "<!-- paths, written by `python -m infra.generated` -->"
_PATHS_END = "<!-- end of paths -->"


def pipeline_page() -> str:
    """docs/pipeline.md."""
    rows = "\n".join(_pipeline_row(step) for step in STEPS)
    kinds = "\n".join(_kind_row(kind) for kind in KINDS.values())
    return (
        f"# The pipeline\n\n{_NOTE}\n"
        "One table, `shared/pipeline.py`, says which step follows which. Every run begins with"
        " `probe`.\n\n"
        "| step | called | works on | follows | makes | on upload | topic | limit | machine |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        f"{rows}\n\n"
        "*follows*: asked for when all of these have settled; with *any of*, one that delivered is"
        " enough; *where planned*: waited for in a run that has it, and read if it delivered."
        " *on upload*: runs by default, unless the tenant's settings or the upload say"
        " otherwise.\n\n"
        "## Kinds\n\n"
        f"Each artifact is of one kind. Registration refuses one without {_quoted(COMMON_META)} or"
        " without the meta that its kind demands.\n\n"
        "| kind | called | made by | demanded meta |\n| --- | --- | --- | --- |\n"
        f"{kinds}\n"
    )


def _pipeline_row(step: Step) -> str:
    needs = ", ".join(step.needs) or "probe"
    wants = "".join(f"; {name} where planned" for name in step.wants)
    cells = (
        f"`{step.name}`",
        step.title,
        step.takes,
        (f"any of {needs}" if step.partial else needs) + wants,
        ", ".join(kind.name for kind in step.produces),
        "yes" if step.default else "on request",
        f"`{steps_topic(step.function)}`",
        f"{step.timeout_s} s",
        step.machine,
    )
    return f"| {' | '.join(cells)} |"


def _kind_row(kind: Kind) -> str:
    makers = [step.name for step in STEPS if kind in step.produces]
    cells = (f"`{kind.name}`", kind.title, _quoted(makers), _quoted(kind.demands))
    return f"| {' | '.join(cells)} |"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def api_page() -> str:
    """docs/api.md, which people write, with the table of the steps' paths put in."""
    text = (DOCS / "api.md").read_text()
    before, _, rest = text.partition(_PATHS_BEGIN)
    _, _, after = rest.partition(_PATHS_END)
    rows = "\n".join(f"| `POST {step.path}` | `{step.name}` | {step.title} |" for step in STEPS)
    table = f"| path | step | |\n| --- | --- | --- |\n{rows}\n"
    return f"{before}{_PATHS_BEGIN}\n{table}{_PATHS_END}{after}"


def errors_page() -> str:
    """docs/errors.md."""
    rows = "\n".join(_error_row(kind) for kind in error_types())
    return (
        f"# Errors\n\n{_NOTE}\n"
        "The command, runs and dead letters all show the same object:\n\n"
        "```json\n"
        '{"code": "validation_error", "service": "detect.hits", "message": "...",\n'
        ' "details": {"field": "min_duration_ms", "reason": "..."}, "backend_version": "..."}\n'
        "```\n\n"
        "`service` is the step, `message` is for people, `details` (or the code's own fields) for"
        " programs.\nA *permanent* error is recorded and acknowledged; after a *transient* one the"
        " message comes again.\n\n"
        "| code | kind | meaning | fields |\n| --- | --- | --- | --- |\n"
        f"{rows}\n\n"
        "`unsupported_media` says in `reason` what the file is and what to do about it: a HEIC, AVIF or"
        " animated\nWebP picture, an encrypted file and who holds its key, an upload cut off before its"
        " index, an archive, a\ndocument, a project. What is cut off and can be read is no error: it is"
        " read, and the asset's\n`media.notices` and the step `probe` say how much is missing.\n\n"
        "No error either: an upload that was overwritten or deleted before it was read. Its `probe` is"
        " `skipped`,\nwith `superseded: ...` or `deleted ...` as the reason.\n"
    )


def error_types() -> list[type[RushesError]]:
    """Every error with a code, in the order of the file."""
    kinds: list[type[RushesError]] = []
    for _, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, RushesError) and "code" in vars(kind):
            kinds.append(kind)
    return sorted(kinds, key=lambda kind: inspect.getsourcelines(kind)[1])


def _error_row(kind: type[RushesError]) -> str:
    meaning = (inspect.getdoc(kind) or "").replace("\n", " ").replace("``", "`")
    nature = "permanent" if issubclass(kind, Permanent) else "transient"
    assert issubclass(kind, Permanent | Transient)
    return f"| `{kind.code}` | {nature} | {meaning} | {', '.join(_fields(kind))} |"


def _fields(kind: type[RushesError]) -> Iterator[str]:
    skipped = ("self", "where", "hint")
    for name in inspect.signature(kind.__init__).parameters:
        if name not in skipped:
            yield f"`{name}`"


def documents_page() -> str:
    """docs/documents.md."""
    return (
        f"# Documents\n\n{_NOTE}\n"
        "What one step writes as JSON and another reads. Each has one model in `shared/contracts/`,"
        " whose\n`write` and `read` are the only ways in and out. Times are milliseconds of the"
        " recording, stretches\n`[start_ms, end_ms)`. Fields that are *optional* may be missing. A"
        " reader passes over fields that it\ndoesn't know; `document_version` appears once a form"
        " changes so that older readers would misread it.\n" + "".join(_document_sections())
    )


def _document_sections() -> Iterator[str]:
    """One a model; a part that several have is described with the first."""
    told: set[str] = set()
    for model in CONTENTS.values():
        yield _document_section(model, told)


def _document_section(model: type[ResultDocument], told: set[str]) -> str:
    schema = model.model_json_schema(mode="serialization")
    parts = schema.pop("$defs", {})
    title = model.title[0].upper() + model.title[1:]
    about = _one_line(schema["description"])
    text = f"\n## {title}\n\n`{model.kind}`. {about}\n\n{_fields_table(schema)}"
    for name, part in parts.items():
        if "properties" in part and name not in told:
            told.add(name)
            text += f"\n`{name}`: {_one_line(part['description'])}\n\n{_fields_table(part)}"
    return text


def _fields_table(schema: Mapping[str, Any]) -> str:
    rows = (
        f"| `{name}` | {_type_of(told)}{'' if name in schema.get('required', ()) else ', optional'}"
        f" | {_one_line(told.get('description', ''))} |\n"
        for name, told in schema["properties"].items()
    )
    return f"| field | type | |\n| --- | --- | --- |\n{''.join(rows)}"


def _type_of(told: Mapping[str, Any]) -> str:
    """A field's type in words, from its JSON schema."""
    if "$ref" in told:
        return f"`{told['$ref'].rsplit('/', 1)[1]}`"
    if "anyOf" in told:
        return " or ".join(_type_of(one) for one in told["anyOf"])
    if "enum" in told:
        return " or ".join(f"`{value}`" for value in told["enum"])
    if told["type"] == "array":
        return f"list of {_type_of(told['items'])}"
    if told["type"] == "object":
        held = told["additionalProperties"]
        return f"map of text to {'anything' if held is True else _type_of(held)}"
    plain: str = told["type"]
    return {"string": "text", "boolean": "true or false"}.get(plain, plain)


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def transforms_page() -> str:
    """docs/transforms.md: its two tables are written, all else is kept."""
    page = (DOCS / "transforms.md").read_text()
    for table in (_preset_table(), _macro_table()):
        head = table.split("\n", 1)[0]
        before, _, behind = page.partition(head)
        page = before + table + behind[behind.index("\n\n") + 1 :]
    return page


def _preset_table() -> str:
    head = "| Preset | For | What it does | Knobs (range; default) |\n| --- | --- | --- | --- |\n"
    return head + "".join(
        f"| `{preset.preset_id}` | {preset.category} | {preset.does} | "
        f"{'<br>'.join(_knob_text(spec) for spec in preset.knobs)} |\n"
        for preset in PRESETS.values()
    )


def _knob_text(spec: ParameterSpec) -> str:
    return f"`{spec.name}`: {spec.range_text}; {spec.text(spec.default)} ({spec.musical_context})"


def _macro_table() -> str:
    head = "| Macro | For | What it does | Through |\n| --- | --- | --- | --- |\n"
    return head + "".join(
        f"| `{macro.macro_id}` | {macro.category} | {macro.does} | "
        f"{', '.join(f'`{stage.preset_id}`' for stage in macro.stages)} |\n"
        for macro in MACROS.values()
    )


def terraform_table() -> str:
    """terraform/pipeline.json: what is deployed, what it consumes, and its limits."""
    table = {
        "note": "Written by `python -m infra.generated`; a test fails when it is stale.",
        "topics": {"uploads": UPLOADS_TOPIC, "results": RESULTS_TOPIC, "dead": DEAD_TOPIC},
        "filters": {topic: f"attributes:{name}" for topic, name in SUBSCRIBED_WITH.items()},
        "functions": {name: _deployed(name) for name in deployed_functions()},
    }
    return json.dumps(table, indent=2) + "\n"


def deployed_functions() -> list[str]:
    """Every folder of functions/ with a trigger; one that consumes no topic is served by HTTP."""
    return sorted(path.parent.name for path in (ROOT / "functions").glob("*/main.py"))


def _deployed(function: str) -> dict[str, object]:
    rows = functions().get(function, ())
    return {
        "consumes": [topic for topic, name in consumed_topics().items() if name == function],
        "steps": [row.name for row in rows],
        "machine": "gpu" if any(row.machine == "gpu" for row in rows) else "cpu",
        "timeout_s": max((row.timeout_s for row in rows), default=None),
    }


PAGES = {
    "pipeline.md": pipeline_page,
    "api.md": api_page,
    "errors.md": errors_page,
    "documents.md": documents_page,
    "transforms.md": transforms_page,
    "pattern.schema.json": schema_text,
    "../terraform/pipeline.json": terraform_table,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())


if __name__ == "__main__":
    main()

"""What steps hand each other: old files are read, new ones look the same, others are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.artifact_contents import CONTENTS
from shared.contracts.semantic_timeline import SemanticTimeline
from shared.errors import ValidationError
from shared.pipeline import KINDS
from shared.settings import settings
from tests.shared.contracts.recorded import FOLDER, ROOT, models_in, processed

SHORTEST: dict[str, Any] = {"duration_ms": 0, "events": []}


def keys(node: Any, at: str = "") -> Iterator[str]:
    """``events[].kind`` for every key, at any depth."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield f"{at}.{name}"
            yield from keys(value, f"{at}.{name}")
    if isinstance(node, list):
        for value in node:
            yield from keys(value, f"{at}[]")


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_recorded_document_is_written_back_byte_for_byte(kind: str, tmp_path: Path) -> None:
    recorded = FOLDER / f"{kind}.json"
    CONTENTS[kind].read(recorded).write(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == recorded.read_bytes()


@pytest.mark.parametrize("kind", CONTENTS)
def test_what_a_newer_writer_adds_is_passed_over(kind: str) -> None:
    recorded = (FOLDER / f"{kind}.json").read_bytes()
    newer = json.dumps({**json.loads(recorded), "mood": "calm"}).encode()
    assert CONTENTS[kind].parse(newer) == CONTENTS[kind].parse(recorded)


@pytest.mark.parametrize("text", [b"", b"[1]", b"{}", b"\xff\xfe", b'{"duration_ms": "soon"}'])
@pytest.mark.parametrize("kind", CONTENTS)
def test_another_file_is_refused_by_name(kind: str, text: bytes) -> None:
    with pytest.raises(
        ValidationError, match=f"no {CONTENTS[kind].title} that can be read"
    ) as told:
        CONTENTS[kind].parse(text)
    assert told.value.to_json()["details"]["field"] == kind


def test_the_place_of_what_is_wrong_is_told() -> None:
    broken = {**SHORTEST, "events": [{"kind": "noise", "start_ms": 0, "end_ms": 1}]}
    with pytest.raises(ValidationError, match=r"events\.0\.kind"):
        SemanticTimeline.parse(json.dumps(broken).encode())


def test_a_form_that_this_reader_does_not_know_is_refused() -> None:
    with pytest.raises(ValidationError, match="of form 2, newer than this reader"):
        SemanticTimeline.parse(json.dumps({**SHORTEST, "document_version": 2}).encode())


def test_a_file_without_end_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SemanticTimeline, "largest_bytes", 1000)
    given: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            given.append(400)
            yield b" " * 400

    with pytest.raises(ValidationError, match="larger than 1,000 bytes"):
        SemanticTimeline.read_from(endless())
    assert len(given) == 3
    (tmp_path / "large.json").write_bytes(b" " * 1001)
    with pytest.raises(ValidationError, match="larger than 1,000 bytes"):
        SemanticTimeline.read(tmp_path / "large.json")


def test_every_document_is_of_a_known_kind() -> None:
    assert set(CONTENTS) <= set(KINDS)
    assert {path.stem for path in FOLDER.glob("*.json")} == set(CONTENTS)


def test_steps_read_documents_through_their_models_alone() -> None:
    """Nothing else in an engine parses JSON but what is no document: ffprobe's, a worker's, weights,
    what its own parts have left."""
    own = {
        "functions/render/video/check.py",
        "functions/probe/recording.py",
        "functions/perform/format.py",
        "functions/detect/hit_kinds.py",
        "functions/separate/host.py",
        "functions/separate/demucs_worker.py",
        "functions/separate/part_sums.py",
        "functions/webhooks/telling.py",
        "functions/api/steps.py",
        "functions/api/identity.py",
        "functions/anonymise/kept_segments.py",
    }
    parsing = {
        str(path.relative_to(ROOT))
        for folder in ("functions", "shared/editing")
        for path in (ROOT / folder).rglob("*.py")
        if any(word in path.read_text() for word in ("json.load", "model_validate_json"))
    }
    assert parsing - own == {"shared/editing/timelines.py"}


@pytest.mark.heavy
def test_an_upload_leaves_the_documents_that_were_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUSHES_MODELS", models_in(tmp_path))
    settings.cache_clear()
    made = processed(tmp_path)
    settings.cache_clear()
    assert set(made) == set(CONTENTS)
    for kind, path in made.items():
        recorded = json.loads((FOLDER / f"{kind}.json").read_bytes())
        assert set(keys(json.loads(path.read_bytes()))) == set(keys(recorded)), kind

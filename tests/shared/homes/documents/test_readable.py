"""One damaged document never hides the others."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs

from shared.homes.documents import Document
from shared.homes.documents.readable import readable


class Row(BaseModel):
    """What the documents should hold."""

    count: int
    parts: list[int] = []


@pytest.mark.allow_error_logs
def test_what_is_damaged_is_told_and_the_rest_goes_on() -> None:
    documents = [
        Document(f"rows/{index}", json.dumps(data), version="1", updated_at=0.0, read_at=0.0)
        for index, data in enumerate(
            ({"count": 1}, {"count": "many"}, {"parts": [1, "x"]}, {"count": 4})
        )
    ]
    with capture_logs() as told:
        found = list(readable(documents, Row))
    assert [(document.path, row.count) for document, row in found] == [("rows/0", 1), ("rows/3", 4)]
    assert [one["fields"] for one in told] == [["count"], ["count", "parts"]]

"""Reading many documents as models, of which one may be damaged: it is told, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from shared.homes.documents import Document
from shared.lazy_log import get_logger

log = get_logger()

Model = TypeVar("Model", bound=BaseModel)


def readable(documents: Iterable[Document], model: type[Model]) -> Iterator[tuple[Document, Model]]:
    """Each document with its content; those that are no ``model`` are logged and left out."""
    for document in documents:
        try:
            content = model.model_validate_json(document.text)
        except ValidationError as error:
            fields = sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})
            log.error("document.damaged", model=model.__name__, fields=fields)
            continue
        yield document, content

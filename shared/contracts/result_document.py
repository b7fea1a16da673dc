"""What one step writes and another reads: a JSON artifact with one model, one writer and one reader.

Milliseconds everywhere, of the recording's own time, stretches ``[start_ms, end_ms)``. Readers pass
over fields that they don't know, so that an older reader understands what a newer writer adds. A
change that an older reader would misread raises the model's ``newest_version``.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import ConfigDict
from pydantic import ValidationError as PydanticError

from shared.contracts.model import Model
from shared.errors import ValidationError

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema


class Part(Model):
    """A document, or a row in one. Fields that nobody set are not written."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """With each field's docstring: read when a schema is asked for, not whenever a step starts."""
        schema = handler(core_schema)
        fields = handler.resolve_ref_schema(schema).get("properties", {})
        for name, told in _field_docstrings(cls).items():
            fields[name]["description"] = told
        return schema


class ResultDocument(Part):
    """Base of every document.

    A field with a default may be missing in a file: an earlier version didn't write it, or it says
    nothing there.
    """

    kind: ClassVar[str]
    """Of the artifact that holds it."""
    title: ClassVar[str]
    """What people call it: ``semantic timeline``."""
    newest_version: ClassVar[int] = 1
    largest_bytes: ClassVar[int] = 256 << 20
    """A larger file is refused before it is read into memory."""
    compact: ClassVar[bool] = False
    """Written in one line, all fields set or not: for documents with a row for every frame."""
    ascii_only: ClassVar[bool] = False
    """Other letters are written as escapes."""

    document_version: int = 1
    """The document's form. Missing in a file: 1."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """The document in a file.

        Raises ``ValidationError`` naming the artifact's kind for a file that is another one, of a
        newer form than this reader knows, or larger than ``largest_bytes``.
        """
        if path.stat().st_size > cls.largest_bytes:
            raise cls._refused(f"larger than {cls.largest_bytes:,} bytes")
        return cls.parse(path.read_bytes())

    @classmethod
    def read_from(cls, chunks: Iterable[bytes]) -> Self:
        """The document in a stream of bytes; raises as ``read`` does."""
        gathered = bytearray()
        for chunk in chunks:
            gathered += chunk
            if len(gathered) > cls.largest_bytes:
                raise cls._refused(f"larger than {cls.largest_bytes:,} bytes")
        return cls.parse(bytes(gathered))

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """The document in a JSON text; raises as ``read`` does."""
        try:
            found = cls.model_validate_json(text)
        except PydanticError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise cls._refused(f"{where}: {first['msg']}" if where else first["msg"]) from None
        if found.document_version > cls.newest_version:
            raise cls._refused(f"of form {found.document_version}, newer than this reader")
        return found

    @classmethod
    def _refused(cls, why: str) -> ValidationError:
        return ValidationError(cls.kind, f"is no {cls.title} that can be read ({why})")

    def content(self, *, without: Iterable[str] = ()) -> dict[str, Any]:
        """As plain JSON, ``without`` some of its fields."""
        return self.model_dump(
            mode="json",
            exclude_unset=not self.compact,
            exclude={*self._unwritten(), *without},
        )

    def write(self, path: Path) -> None:
        """Into a file, the same bytes for the same document."""
        path.write_bytes(self.written())

    def written(self) -> bytes:
        """What ``write`` writes."""
        if self.compact:
            text = self.model_dump_json(exclude=self._unwritten())
        else:
            body = self.content()
            text = json.dumps(body, indent=1, allow_nan=False, ensure_ascii=self.ascii_only)
        return (text + "\n").encode()

    def _unwritten(self) -> set[str]:
        """A first form says nothing of itself: files from before there were forms are the same."""
        return {"document_version"} if self.document_version == 1 else set()


def _field_docstrings(model: type[Part]) -> dict[str, str]:
    """Field -> the string below it in the class's source, its bases' included."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not (issubclass(cls, Part) and cls is not Part):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, below in pairwise(body.body):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(told))),
                ) if name in model.model_fields:
                    found[name] = inspect.cleandoc(told)
    return found

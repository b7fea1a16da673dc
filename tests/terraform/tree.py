"""The parsed terraform/ tree: folders, their resources, variables, outputs and module calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import hcl2
from hcl2 import SerializationOptions

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "terraform"
_OPTIONS = SerializationOptions(strip_string_quotes=True, explicit_blocks=False)
_META = {"source", "for_each", "count", "depends_on", "providers", "version"}


@dataclass(frozen=True)
class Resource:
    """One resource block."""

    folder: Path
    kind: str
    name: str
    body: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.folder.relative_to(TERRAFORM)}: {self.kind}.{self.name}"


@dataclass(frozen=True)
class Folder:
    """One folder of *.tf files, as Terraform sees it; read when it is first asked for."""

    path: Path

    @cached_property
    def _texts(self) -> list[str]:
        return [file.read_text() for file in sorted(self.path.glob("*.tf"))]

    @cached_property
    def blocks(self) -> tuple[Mapping[str, Any], ...]:
        """Each file's blocks."""
        return tuple(hcl2.loads(text, serialization_options=_OPTIONS) for text in self._texts)

    @cached_property
    def text(self) -> str:
        """All files, without comments."""
        lines = (line for text in self._texts for line in text.splitlines())
        return "\n".join(re.sub(r"(^|\s)#.*", "", line) for line in lines)

    def named(self, block: str) -> dict[str, Mapping[str, Any]]:
        """Blocks with one label: variables, outputs, modules."""
        found = (each for file in self.blocks for each in file.get(block, []))
        return {name: body for each in found for name, body in _labelled(each)}

    def typed(self, block: str) -> Iterator[Resource]:
        """Blocks with two labels: resources, data."""
        for file in self.blocks:
            for each in file.get(block, []):
                for kind, names in _labelled(each):
                    for name, body in _labelled(names):
                        yield Resource(self.path, kind, name, body)

    def locals(self) -> dict[str, Any]:
        """Names and what they are given."""
        found = (each for file in self.blocks for each in file.get("locals", []))
        return {name: value for each in found for name, value in _labelled(each)}

    def called(self, name: str) -> Folder:
        """The folder that a module call leads to."""
        return folder((self.path / self.named("module")[name]["source"]).resolve())

    def arguments(self, name: str) -> set[str]:
        """What a module call passes."""
        return {key for key, _ in _labelled(self.named("module")[name])} - _META


def _labelled(block: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in block.items() if not name.startswith("__")]


@cache
def folder(path: Path) -> Folder:
    return Folder(path)


def folders() -> list[Folder]:
    """Every folder that holds *.tf files."""
    return [folder(path) for path in sorted({file.parent for file in TERRAFORM.rglob("*.tf")})]


def resources(kind: str = "") -> list[Resource]:
    """Every resource whose type begins with ``kind``."""
    return [
        each for one in folders() for each in one.typed("resource") if each.kind.startswith(kind)
    ]


def strings(value: Any) -> Iterator[str]:
    """All texts in a block, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if not name.startswith("__"):
                yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)

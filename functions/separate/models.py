"""Which models there are, what they separate, and where their weights lie on this machine.

Nothing is fetched here: a worker must not hang on a network that is not there, and the image or the
models folder holds the weights.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.errors import MissingDependency, ValidationError
from shared.settings import settings

DEFAULT_MODEL = "htdemucs"
DOC = "docs/separation.md"

_RESEARCH = (
    "weights for scientific use only, as their author says "
    "(github.com/facebookresearch/demucs/issues/327); code MIT"
)
_FOUR = ("drums", "bass", "other", "vocals")
_ALIASES: Mapping[str, str] = {
    "drum": "drums",
    "percussion": "drums",
    "vocal": "vocals",
    "voice": "vocals",
    "vox": "vocals",
    "singing": "vocals",
    "others": "other",
    "rest": "other",
    "guitars": "guitar",
    "keys": "piano",
}


@dataclass(frozen=True)
class Model:
    """One row."""

    stems: tuple[str, ...]
    weights: tuple[str, ...]
    """Demucs' own checkpoints, ``signature-checksum``; several of them vote (a bag)."""
    what: str
    licence: str = _RESEARCH

    @property
    def files(self) -> tuple[str, ...]:
        """The checkpoints' file names."""
        return tuple(f"{name}.th" for name in self.weights)


MODELS: Mapping[str, Model] = {
    "htdemucs": Model(_FOUR, ("955717e8-8726e21a",), "Hybrid Transformer Demucs, the default"),
    "htdemucs_ft": Model(
        _FOUR,
        ("f7e0c4bc-ba3fe64a", "d12395a8-e57c48e6", "92cfc3b6-ef3bcb9c", "04573f0d-f3cf25b2"),
        "the same, tuned for each stem: four times the work, a little better",
    ),
    "htdemucs_6s": Model(
        (*_FOUR, "guitar", "piano"), ("5c90dfd2-34c22ccb",), "guitar and piano, too; piano is weak"
    ),
    "hdemucs_mmi": Model(_FOUR, ("75fc33f5-1941ce65",), "Hybrid Demucs, without a transformer"),
    "mdx_extra": Model(
        _FOUR,
        ("e51eebcc-c1b80bdd", "a1d90b5c-ae9d2452", "5d2d6c55-db83574e", "cfa93e08-61801ae1"),
        "four models of the MDX challenge of 2021",
    ),
}
"""The one table of what demucs offers. A folder of any other name in the models folder is a model
of one's own."""


def normalise_stem(name: str) -> str:
    """A model's name for a stem as all of Rushes says it: ``Vocal`` becomes ``vocals``."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return _ALIASES.get(plain, plain) or "other"


def check_name(model: str) -> str:
    """The name itself; raises ``ValidationError`` for one that is a path, listing the known ones."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_]{0,63}", model):
        raise ValidationError("model", f"{model!r} is not a model's name; {_known()}")
    return model


def find_weights(model: str) -> Path | None:
    """The folder that holds them: in the models folder, or torch's cache of checkpoints.

    ``None`` where a model of the table may still be in the hub's cache, which demucs itself knows
    how to read. Raises ``MissingDependency`` for any other, and ``ValidationError``.
    """
    known = settings().models
    folder = known / check_name(model) if known else None
    if folder is not None and folder.is_dir():
        return folder.absolute()
    row = MODELS.get(model)
    if row is None:
        raise missing(model)
    torch_home = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"))
    checkpoints = torch_home / "hub" / "checkpoints"
    if all((checkpoints / name).is_file() for name in row.files):
        return checkpoints
    return None


def missing(model: str) -> MissingDependency:
    """The error that says which weights are missing and where to put them."""
    row = MODELS.get(model)
    files = " and ".join(row.files) if row else f"{model}.th"
    place = (settings().models or Path("<models>")) / model
    setting = "" if settings().models else " and set RUSHES_MODELS to <models>"
    unknown = "" if row else f"; {_known()}"
    hint = f"put {files} into {place}{setting}, see {DOC}{unknown}"
    return MissingDependency(f"demucs-{model}", None, hint)


def _known() -> str:
    folder = settings().models
    own = sorted(path.name for path in folder.iterdir()) if folder and folder.is_dir() else []
    return f"known: {', '.join(dict.fromkeys([*MODELS, *own]))}"

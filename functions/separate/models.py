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
from shared.weights import Weights, family

DEFAULT_MODEL = "htdemucs"
DOC = "docs/separation.md"

_FOUR = ("drums", "bass", "other", "vocals")
"""Those of MUSDB18, in demucs' order."""
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
    """One row of what demucs publishes."""

    stems: tuple[str, ...]
    what: str
    weights: Weights
    """Demucs' own checkpoints; several of them vote (a bag)."""

    @property
    def files(self) -> tuple[str, ...]:
        """The checkpoints' file names."""
        return tuple(file.name for file in self.weights.files)


_WHAT: Mapping[str, tuple[tuple[str, ...], str]] = {
    "htdemucs": (_FOUR, "Hybrid Transformer Demucs, the default"),
    "htdemucs_ft": (_FOUR, "the same, tuned for each stem: four times the work, a little better"),
    "htdemucs_6s": ((*_FOUR, "guitar", "piano"), "guitar and piano, too; piano is weak"),
    "hdemucs_mmi": (_FOUR, "Hybrid Demucs, without a transformer"),
    "mdx_extra": (_FOUR, "four models of the MDX challenge of 2021"),
}
MODELS: Mapping[str, Model] = {
    row.name: Model(*_WHAT[row.name], weights=row) for row in family("demucs")
}
"""What demucs offers, with its weights. A folder of any other name in the models folder is a model
of one's own."""


def normalise_stem(name: str) -> str:
    """A model's name for a stem as all of Rushes says it: ``Vocal`` becomes ``vocals``.

    Lower case, with ``_`` for all but ASCII letters and digits; ``other`` where nothing is left.
    """
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return _ALIASES.get(plain, plain) or "other"


def check_name(model: str) -> str:
    """The name itself; raises ``ValidationError`` for one that is a path, listing the known ones.

    Letters of ASCII, digits and ``_``, 64 at most: no name leads out of the models folder.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_]{0,63}", model):
        raise ValidationError("model", f"{model!r} is not a model's name; {_known()}")
    return model


def find_weights(model: str) -> Path | None:
    """The folder that holds them: in the models folder, or torch's cache of checkpoints.

    ``None`` where a model of the table may still be in the hub's cache, which demucs itself knows
    how to read. Raises ``MissingDependency`` for any other, and ``ValidationError``.
    """
    folder = settings().models / check_name(model)
    if folder.is_dir():
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
    place = settings().models / model
    fetch = f"`rushes models install {model}`, or " if row else ""
    files = " and ".join(row.files) if row else f"{model}.th"
    unknown = "" if row else f"; {_known()}"
    hint = f"{fetch}put {files} into {place}, see {DOC}{unknown}"
    return MissingDependency(f"demucs-{model}", None, hint)


def _known() -> str:
    folder = settings().models
    own = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    own = [name for name in own if not name.startswith(".")]
    return f"known: {', '.join(dict.fromkeys([*MODELS, *own]))}"

"""Whisper's weights: where they lie, and the model, loaded once for the process.

Nothing is fetched here: a worker must not hang on a network that is not there, and the image or the
models folder holds the weights. A name is looked for in the models folder (``RUSHES_MODELS``), then
in the hub's cache on this machine; an absolute folder is taken as it is. Where a model of the table is
not there, another of Whisper's that is may stand in.

Weights are those of OpenAI's Whisper in CTranslate2's form (``model.bin``), which faster-whisper runs: int8
holds a weight in a byte, float16 in two, float32 in four.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from shared.contracts.step_engine import Dependency
from shared.errors import BackendFailed, MissingDependency, ValidationError
from shared.settings import settings
from shared.weights import WEIGHTS, Weights, family

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

DEFAULT_MODEL = "tiny"
USUAL_COMPUTE: Mapping[str, str] = {"cpu": "int8", "cuda": "float16"}
"""Device -> the numbers that it computes with, unless ``RUSHES_WHISPER_COMPUTE`` names others."""
_NEEDED = ("model.bin", "config.json", "tokenizer.json")
"""Without tokenizer.json faster-whisper would ask the network for it."""


def model_name(model: str) -> str:
    """As it is shown and becomes part of versions: of an absolute folder, its last part."""
    return Path(model).name


def find_model(model: str) -> Path:
    """The folder with the weights; raises ``MissingDependency``, saying where it looked."""
    folder = Path(model)
    if folder.is_absolute():
        return _complete(model, folder)
    if len(folder.parts) != 1 or model.startswith("."):
        raise ValidationError("model", f"{model!r} is neither a name nor an absolute folder")
    known = settings().models
    if (known / model).is_dir():
        return _complete(model, known / model)
    cached = _in_hub_cache(model)
    if cached is None:
        raise _missing(model, f"it is neither in {known} (RUSHES_MODELS) nor in the hub's cache")
    return _complete(model, cached)


def present_model(model: str) -> str:
    """``model`` where it is installed, or what stands in for it; itself where nothing can.

    The nearest of Whisper's in the table, multilingual ones first, the next larger before the next
    smaller. One that only knows English stands in for its like alone: it would make English of
    whatever is spoken. Nothing stands in for a folder, nor for a name that nobody knows.
    """
    try:
        find_model(model)
    except MissingDependency:
        able = [] if Path(model).is_absolute() else _stand_ins(model)
        return next((one.name for one in able if weights(one.name).available), model)
    except ValidationError:
        pass
    return model


def _stand_ins(model: str) -> list[Weights]:
    """The table's others, installed or not, in the order in which they are asked for."""
    rows = family("whisper")
    at = next((index for index, row in enumerate(rows) if row.name == model), len(rows))
    nearest = [*rows[at + 1 :], *reversed(rows[:at])]
    able = [row for row in nearest if row.multilingual or model.endswith(".en")]
    return sorted(able, key=lambda row: not row.multilingual)


def weights(model: str) -> Dependency:
    """Are they there? As ``backend_info`` shows it."""
    try:
        find_model(model)
    except (MissingDependency, ValidationError) as error:
        return Dependency(False, error=error.message)
    return Dependency(True, model_name(model))


def _complete(model: str, folder: Path) -> Path:
    absent = [name for name in _NEEDED if not (folder / name).is_file()]
    if absent:
        raise _missing(model, f"its folder has no {', no '.join(absent)}")
    return folder


def _missing(model: str, reason: str) -> MissingDependency:
    install = f"`rushes models install {model}` or " if model in WEIGHTS else ""
    hint = f"{reason}; {install}see docs/timeline-and-captions.md for how to install weights"
    return MissingDependency(f"whisper-{model_name(model)}", None, hint)


def _in_hub_cache(model: str) -> Path | None:
    """The folder that a hub's client filled before; never asks a network. Raises ``ValidationError`` for a
    name that neither the table nor faster-whisper knows.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    repository = WEIGHTS[model].hub if model in WEIGHTS else None
    if (
        repository
        and not (Path(HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}").is_dir()
    ):
        return None  # what follows takes a second to import
    from faster_whisper.utils import download_model
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(download_model(model, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except ValueError as error:  # it lists the names that the hub knows
        raise ValidationError("model", str(error)) from None


def compute_type(device: str) -> str:
    """What this process computes with on ``device``: ``int8``, ``float16`` or ``float32``."""
    return settings().whisper_compute or USUAL_COMPUTE[device]


def load_model(folder: Path, device: str) -> WhisperModel:
    """The model, ready to transcribe. Raises ``BackendFailed`` for weights that don't load.

    ``device``: ``cpu`` or ``cuda``. Loaded once for the process; two are held, the longest unused one goes.
    Threads are ``RUSHES_WHISPER_THREADS``, 0 where that is not set: CTranslate2 then chooses.
    """
    return _loaded(folder, device, compute_type(device), settings().whisper_threads or 0)


@lru_cache(maxsize=2)
def _loaded(folder: Path, device: str, compute: str, threads: int) -> WhisperModel:
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(str(folder), device, compute_type=compute, cpu_threads=threads)
    except (RuntimeError, ValueError, OSError) as error:
        raise BackendFailed("whisper", f"its weights cannot be used: {error}") from None

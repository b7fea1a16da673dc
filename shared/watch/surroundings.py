"""A digest of all on this machine that engines' versions and default params depend on; imports no engine.

Which backend an engine chooses, its version and its params' defaults follow from the product's code, the
packages and tools that are installed, the weights that are there, and the settings. Where none of these has
changed since work was claimed, a request that asks for just the same asks for the same cache key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from shared.contracts.ids import digest
from shared.media.kept_answers import state_of_tool
from shared.settings import settings, user_cache

_PRODUCT = Path(__file__).parents[2]
_CODE = ("functions", "shared")
_PACKAGES = ("site-packages", "dist-packages")
_TOOLS = ("ffmpeg", "ffprobe")
_OF_ENGINES = (
    *("whisper_compute", "semantic_backend", "semantic_model", "semantic_seed"),
    *("captions_backend", "captions_model", "captions_device", "captions_language"),
    *("video_region_backend", "video_regions_min_confidence", "video_visual_meta_backend"),
)
"""The settings by which engines choose, but for where the models are."""
_DEEPEST = 6
"""Folders are looked into so far: links may lead round in circles."""


@cache
def surroundings() -> str:
    """Their digest, of some 500 files' sizes and times: 10 ms, once in a process's life.

    To be asked before an engine is imported: what is changed later then counts as changed, though the
    process goes on as it began.
    """
    config = settings()
    said = config.model_dump(mode="json", include=set(_OF_ENGINES))
    chosen = sorted(config.model_fields_set.intersection(_OF_ENGINES))  # some defaults go by that
    code = [_files(_PRODUCT / folder) for folder in _CODE]
    models = config.models.absolute()
    weights = [_files(folder) for folder in _weight_folders(models, config.whisper_model)]
    tools = [_tool(name) for name in _TOOLS]
    python = (sys.executable, sys.version, os.environ.get("PYTHONPATH", ""))
    return digest(said, chosen, code, weights, tools, python, _packages())


def _files(folder: Path) -> list[tuple[str, int, int]]:
    """Of each file below: where it is, its bytes and its time; but for what Python compiled."""
    found = []
    ahead = [(str(folder), 1)]
    while ahead:
        place, depth = ahead.pop()
        for entry in _entries(place):
            if entry.is_file():
                state = entry.stat()
                found.append((entry.path, state.st_size, state.st_mtime_ns))
            elif entry.is_dir() and entry.name != "__pycache__" and depth < _DEEPEST:
                ahead.append((entry.path, depth + 1))
    return sorted(found)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [*entries]
    except OSError:  # not there, or not for us
        return []


def _weight_folders(models: Path, whisper: str) -> Iterator[Path]:
    """Where engines look for weights: the models folder, one of one's own, and the hub's cache."""
    yield models
    if Path(whisper).is_absolute():
        yield Path(whisper)
    told = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    home = os.environ.get("HF_HOME") or user_cache() / "huggingface"
    hub = Path(told or Path(home) / "hub").expanduser()
    yield from sorted(place / "snapshots" for place in hub.glob("models--*"))


def _packages() -> list[tuple[str, int]]:
    """The folders that packages are installed in: any change by pip touches them."""
    folders = (Path(entry) for entry in sys.path if Path(entry).name in _PACKAGES)
    return [(str(folder), folder.stat().st_mtime_ns) for folder in folders if folder.is_dir()]


def _tool(name: str) -> tuple[str, ...]:
    try:
        return state_of_tool(name)
    except OSError:
        return ()

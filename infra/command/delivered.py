"""What `process` hands over: the results folder, what was heard, and loudness before and after."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from infra.command.desk import Desk
from infra.command.export import folder_lines
from infra.command.results_on_disk import Left, leave
from shared.contracts.plurals import many
from shared.errors import RushesError, Unavailable
from shared.runs.gathering import gather

_NAMES = {
    "audio_hit": "hit",
    "audio_loop": "loop",
    "audio_phrase": "phrase",
    "audio_stem": "stem",
    "video_region_mask": "face",
}
"""Kinds that are counted for people."""
_LISTS = {
    "audio_hits": ("segment_count", "hits"),
    "audio_loops": ("segment_count", "loops"),
    "audio_phrases": ("segment_count", "phrases"),
    "audio_words": ("word_count", "words"),
}
"""Kinds that list what was found: nothing, at times, which is worth a word beside ``done``."""


class Handed(Protocol):
    """What a command leaves of a run on this machine (or why not)."""

    @property
    def failed(self) -> bool:
        """Is it missing where it was asked for?"""

    @property
    def content(self) -> dict[str, Any]:
        """For the run's JSON object."""

    def lines(self) -> Iterator[str]:
        """For people."""


class Delivered:
    """One run's results folder, laid down (or why not)."""

    def __init__(self, desk: Desk, run: Mapping[str, Any], file: str, out: Path | None) -> None:
        parent = out or _beside(file)
        self._results = gather(desk.home, desk.ctx, run["asset_id"], Path(file).name)
        self._left: Left | None = None
        self._error: RushesError | None = None
        try:
            self._left = leave(desk.home, self._results, parent)
        except Unavailable as error:
            self._error = error

    @property
    def failed(self) -> bool:
        """Could the folder not be written? Whoever runs this in a script finds nothing where they look."""
        return self._error is not None

    @property
    def content(self) -> dict[str, Any]:
        """For the run's JSON object."""
        if self._left:
            return {"folder": str(self._left.folder)}
        assert self._error is not None
        return {"folder": None, "folder_error": self._error.to_json()}

    def lines(self) -> Iterator[str]:
        """For people."""
        from rich.markup import escape  # not before structlog, which would take more of rich along

        if self._results.heard:
            yield f"  {'heard':<22}{escape(', '.join(self._results.heard))}"
        if self._results.said:
            yield f"  {'said':<22}{escape(self._results.said)}"
        if self._results.loudness:
            yield f"  {'loudness':<22}{self._results.loudness}"
        if self._left:
            first, *more = folder_lines(self._left)
            yield f"  {'results':<22}{first}"
            yield from more
            return
        assert self._error is not None
        name = escape(self._results.asset.asset_id)
        yield f"  [yellow]no folder[/yellow]  {escape(self._error.message)}"
        yield f"  the results are in this home: `rushes export {name} DIR`, or process with --out DIR"


def _beside(file: str) -> Path:
    """The folder of a recording on this machine; this one for what lies in a bucket."""
    return Path() if "://" in file else Path(file).parent


def check_writable(folder: Path) -> None:
    """Raise ``Unavailable`` before any work where results could not be left there in the end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"--out {folder}", (error.strerror or "I/O error").lower()) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Unavailable(f"--out {folder}", "it cannot be written")


def counted(artifacts: Sequence[Mapping[str, Any]]) -> str:
    """``78 hits``: what there are several of; ``no hits`` where none was found."""
    counts = Counter(artifact["kind"] for artifact in artifacts)
    told = [(counts[kind], name) for kind, name in _NAMES.items() if counts[kind]]
    if told:
        return ", ".join(many(count, name) for count, name in told)
    lists = [(a["meta"], *_LISTS[a["kind"]]) for a in artifacts if a["kind"] in _LISTS]
    return ", ".join(f"no {things}" for meta, count, things in lists if meta.get(count) == 0)

"""What ``rushes render`` leaves: a mix and its stems, called after their timeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.command.desk import Desk
from infra.command.export import folder_lines
from infra.command.results_on_disk import Left, leave
from shared.errors import RushesError, Unavailable
from shared.runs.results_folder import Contents, Entry, safe_name
from shared.steps.preparing import load_asset
from shared.steps.storing import load_artifact


class MixFolder:
    """``NAME.mix/`` in a folder of its maker's choice: ``NAME mix.wav``, ``stems/``."""

    def __init__(self, desk: Desk, run: Mapping[str, Any], stem: str, parent: Path) -> None:
        self._desk = desk
        self._entries = tuple(self._made(run, stem))
        self._left: Left | None = None
        self._error: RushesError | None = None
        if not self._entries:
            return
        asset = load_asset(desk.home, desk.ctx, run["asset_id"])
        contents = Contents(stem, asset, self._entries, {})
        try:
            self._left = leave(desk.home, contents, parent, ending=".mix", formats_stay=True)
        except Unavailable as error:
            self._error = error

    def _made(self, run: Mapping[str, Any], stem: str) -> Iterator[Entry]:
        made = (one for step in run["steps"] for one in step["artifacts"])
        for one in made:
            artifact = load_artifact(self._desk.home.documents, self._desk.ctx, one["artifact_id"])
            name = _NAMES.get(artifact.kind)
            if name is not None:
                path = f"{name(stem, artifact.meta)}{Path(artifact.key).suffix}"
                yield Entry(path, artifact.key, artifact.sha256, artifact)

    @property
    def failed(self) -> bool:
        """Could it not be written?"""
        return self._error is not None

    @property
    def content(self) -> dict[str, Any]:
        """For the run's JSON object."""
        if self._error is not None:
            return {"folder": None, "folder_error": self._error.to_json()}
        return {"folder": str(self._left.folder) if self._left else None, "files": self._files()}

    def lines(self) -> Iterator[str]:
        """For people."""
        from rich.markup import escape

        if self._error is not None:
            yield f"  [yellow]no folder[/yellow]  {escape(self._error.message)}"
            mix = next(one.artifact for one in self._entries)
            assert mix is not None
            yield f"  the mix is in this home: `rushes get {mix.artifact_id} --out DIR/`"
        if self._left is None:
            return
        yield from (f"  {escape(path)}" for path in self._files())
        yield from folder_lines(self._left)[1:]

    def _files(self) -> list[str]:
        """Those that were written, the mix first."""
        if self._left is None:
            return []
        paths = [one.path for one in self._entries if one.path not in self._left.kept]
        return [str(self._left.folder / path) for path in paths]


def _mix(stem: str, meta: Mapping[str, Any]) -> str:
    return f"{stem} mix" if meta["name"] == "master" else f"{stem} mix {meta['name']}"


def _mix_stem(stem: str, meta: Mapping[str, Any]) -> str:
    return f"stems/{stem} {safe_name(meta['bus_id'])}"


_NAMES = {"audio_render": _mix, "audio_bus_stem": _mix_stem}
"""Kind -> timeline's name and meta -> path without extension."""

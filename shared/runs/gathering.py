"""Everything that a results folder holds, gathered from the home: for a disk or a zip to be written from."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from shared.captions.subtitles import cues_to_txt, shown
from shared.contracts.artifact import Artifact
from shared.contracts.asr_transcript import Transcript
from shared.contracts.asset import Asset
from shared.contracts.context import RequestContext
from shared.errors import NotFound
from shared.folders import work_folder
from shared.homes.home import Home
from shared.homes.objects.encodings import encoding_of
from shared.homes.objects.fetch import fetch_object
from shared.runs.heard import FOUND, Findings, first_words, heard, layers, loudness_text
from shared.runs.results_folder import UNBLURRED, Contents, Entry, captions_name, lay_out, stem_of
from shared.runs.results_page import Listed, Page, results_page
from shared.runs.standing import Standing, standing_results
from shared.runs.views import local_path
from shared.steps.preparing import load_asset


@dataclass(frozen=True)
class Results(Contents):
    """A recording's results under names that people know.

    ``texts``: ``index.html``, and the words where no file of captions holds them.
    """

    standing: tuple[Standing, ...]
    heard: tuple[str, ...]
    said: str
    """The words it begins with; empty where none are known."""
    loudness: str | None


def gather(
    home: Home,
    ctx: RequestContext,
    asset_id: str,
    name: str | None = None,
    *,
    unblurred: bool = True,
) -> Results:
    """What stands of the recording now. ``name``: its file's name, else that of its first upload.

    ``unblurred``: with the pictures that show faces which the video has covered.
    Raises ``NotFound`` for an asset that is not there, or whose objects are gone.
    """
    asset = load_asset(home, ctx, asset_id)
    standing = tuple(standing_results(home, ctx, asset_id))
    stem = stem_of(name or asset.file_name or asset_id)
    found = _findings(home, standing)
    sizes: dict[str, int] = {}
    laid = lay_out(stem, asset, standing, partial(_members, home, sizes))
    entries = tuple(one for one in laid if unblurred or not one.path.startswith(UNBLURRED))
    said = _said(found.transcript, stem)
    texts = {path: words for path, words in said.items() if path not in {e.path for e in entries}}
    page = Page(
        stem,
        asset,
        standing,
        [
            *(_listed(entry, asset, sizes) for entry in entries),
            *(Listed(path, len(content)) for path, content in texts.items()),
        ],
        tuple(heard(found)),
        loudness_text(found, _norm_stats(standing)),
        layers(found),
        found.transcript,
    )
    texts["index.html"] = results_page(page).encode()
    return Results(
        stem=stem,
        asset=asset,
        entries=entries,
        texts=texts,
        standing=standing,
        heard=tuple(page.heard),
        said=first_words(b"".join(said.values()).decode()),
        loudness=page.loudness,
    )


def _members(home: Home, sizes: dict[str, int], artifact: Artifact) -> list[str]:
    """A pack's files; ``sizes`` learns how large each is."""
    with opened(home, artifact.key) as file, zipfile.ZipFile(file) as archive:
        for one in archive.infolist():
            sizes[f"{artifact.sha256}/{one.filename}"] = one.file_size
        return archive.namelist()


def _said(transcript: Transcript | None, stem: str) -> dict[str, bytes]:
    """The words, under the name that their file of captions has; nothing where none are known."""
    if transcript is None:
        return {}
    words = cues_to_txt(shown(transcript.cues, speaker_names=transcript.speaker_names))
    return {f"{captions_name(stem, transcript.model_dump())}.txt": words} if words else {}


def plain_path(home: Home, key: str) -> Path | None:
    """The object's own file where that is what it stands for: on this machine, and not encoded."""
    info = home.objects.stat(key)
    if info is None:
        raise NotFound("object", key)
    local = local_path(home.objects.uri(key))
    if local is None or encoding_of(info.content_encoding) == "gzip":
        return None
    return Path(local) if Path(local).is_file() else None  # else it is on its way to its place


@contextmanager
def opened(home: Home, key: str) -> Iterator[BinaryIO]:
    """The object's bytes as a file to seek in, where they are or as a copy; raises ``NotFound``."""
    if (local := plain_path(home, key)) is not None:
        with local.open("rb") as file:
            yield file
        return
    with work_folder() as folder:
        # What is in the bucket was let in: nothing is refused on its way out.
        fetched = fetch_object(home.objects, key, folder / "copy", max_bytes=sys.maxsize)
        with fetched.path.open("rb") as file:
            yield file


def _findings(home: Home, standing: tuple[Standing, ...]) -> Findings:
    """Of the recording itself, not of what steps made of its artifacts."""
    newest: dict[str, str] = {}
    for one in standing:
        for artifact in one.artifacts if one.made_from is None else ():
            if artifact.content_type == "application/json":
                newest.setdefault(artifact.kind, artifact.key)
    read = {
        field: model.read_from(home.objects.read(newest[model.kind]))
        for field, model in FOUND.items()
        if model.kind in newest
    }
    return Findings(**read)  # type: ignore[arg-type]  # each field's model stands in FOUND


def _norm_stats(standing: tuple[Standing, ...]) -> Mapping[str, Any] | None:
    for one in standing:
        for artifact in one.artifacts:
            if artifact.kind == "audio_normalised" and one.made_from is None:
                stats: Mapping[str, Any] = artifact.meta["norm_stats"]
                return stats
    return None


def _listed(entry: Entry, asset: Asset, sizes: Mapping[str, int]) -> Listed:
    if entry.artifact is None:
        return Listed(entry.path, asset.bytes, asset.content_type)
    if entry.member is not None:
        return Listed(entry.path, sizes[entry.sha256])
    shows = str(entry.artifact.meta.get("shows", ""))
    return Listed(entry.path, entry.artifact.bytes, entry.artifact.content_type, shows)

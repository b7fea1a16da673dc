"""A recording's results as a folder that people know their way around in: which file is called what.

    talk.rushes/
        index.html                      everything at a glance, without a server
        talk.srt  talk.vtt  talk.txt    what was said
        talk normalised.wav             talk anonymised.mp4, talk fx warm.wav, talk mix.wav, ...
        phrases/01 and so my fellow.wav
        hits/  loops/  stems/  samples/
        pictures/  data/                what each step drew; JSON under plain names

Pure: nothing is read or written here, so that the command lays it on a disk and others into a zip.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from shared.contracts.artifact import Artifact
from shared.contracts.asset import Asset
from shared.runs.standing import Standing

_STEM_BYTES = 120
"""Room for what is added to a recording's name: a file's name has 255 at most."""
_WORDS_BYTES = 48
_PUNCTUATION = re.compile(r"[.,;:!?…\"“”„«»()\[\]]+")
UNBLURRED = "pictures/unblurred/"
"""What shows faces although the video has them covered."""
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]+')
"""What a file's name must not hold on one of the common systems."""
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=$|\.)", re.IGNORECASE)
"""What Windows takes for a device, whatever extension follows: AUX.wav of a mixer could not be saved."""


@dataclass(frozen=True)
class Entry:
    """One file of the folder: an object of the bucket, or one member of a zip there."""

    path: str
    """Below the folder, with ``/``."""
    key: str
    sha256: str
    artifact: Artifact | None = None
    """``None``: the recording itself."""
    member: str | None = None
    """The object is a zip, and this is the file in it."""


@dataclass(frozen=True)
class Contents:
    """What a folder of a recording's holds."""

    stem: str
    """What all is called after."""
    asset: Asset
    entries: tuple[Entry, ...]
    texts: Mapping[str, bytes]
    """What stands in no bucket: path -> content."""


def safe_name(text: str, most_bytes: int = _STEM_BYTES) -> str:
    """``text`` as a part of a file's name anywhere: no separators, nothing unprintable, not too long."""
    text = unicodedata.normalize(
        "NFC", text.encode(errors="surrogateescape").decode("utf-8", "replace")
    )
    kept = "".join(one if one.isprintable() else " " for one in _FORBIDDEN.sub(" ", text))
    words = kept.split()
    while len(words) > 1 and len(" ".join(words).encode()) > most_bytes:
        words.pop()
    plain = _clipped(" ".join(words), most_bytes).strip(" .")
    if device := _DEVICE.match(plain):
        plain = _clipped(f"{device[0]}_{plain[device.end() :]}", most_bytes)
    return plain


def _clipped(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")


@lru_cache(1000)
def stem_of(name: str) -> str:
    """A recording's file name without its extension, as results are called after it."""
    return safe_name(PurePosixPath(name).stem.lstrip(".")) or "recording"


def lay_out(
    stem: str,
    asset: Asset,
    standing: Sequence[Standing],
    members: Callable[[Artifact], Sequence[str]],
) -> list[Entry]:
    """The files of the folder, each path once; of takes of one name the newest has it plain.

    The recording is among them, but not where an anonymised one stands for it; pictures that show
    the faces are then in a folder that says so. ``members`` names the files in a zip.
    """
    entries: list[Entry] = []
    for one in standing:
        for number, artifact in _numbered(one.artifacts):
            entries += _entries(stem, one, artifact, number, members)
    if any(one.artifact and one.artifact.kind == "video_anonymised" for one in entries):
        entries = [_set_apart(entry) for entry in entries]
    else:
        extension = asset.key.rpartition(".")[2]
        entries.insert(0, Entry(f"{stem}.{extension}", asset.key, asset.sha256))
    return list(_told_apart(entries))


def _set_apart(entry: Entry) -> Entry:
    if entry.path not in _SHOW_FACES:
        return entry
    return replace(entry, path=entry.path.replace("pictures/", UNBLURRED))


def _entries(
    stem: str,
    standing: Standing,
    artifact: Artifact,
    number: int,
    members: Callable[[Artifact], Sequence[str]],
) -> Iterator[Entry]:
    if artifact.kind == "audio_excerpt":  # something was tried, and nothing made
        return
    extension = artifact.key.rpartition(".")[2]
    if artifact.kind == "audio_sample_pack" and extension == "zip":
        for member in members(artifact):
            within = PurePosixPath(member).parts[1:]  # its one top folder
            if within and not member.endswith("/") and ".." not in within:
                path = "/".join(("samples", *(safe_name(part) for part in within)))
                yield Entry(path, artifact.key, f"{artifact.sha256}/{member}", artifact, member)
        return
    if standing.made_from:
        stem = f"{stem} {safe_name(standing.made_from)}"
    name = _file_name(stem, standing.step, artifact, number)
    yield Entry(f"{name}.{extension}", artifact.key, artifact.sha256, artifact)


_PLACES: Mapping[str, Callable[[str, Mapping[str, Any], int], str]] = {
    "captions": lambda stem, meta, number: captions_name(stem, meta),
    "audio_hit": lambda stem, meta, number: f"hits/{stem} hit {number:02d}",
    "audio_loop": lambda stem, meta, number: f"loops/{stem} loop {number:02d} {_musical(meta)}",
    "audio_phrase": lambda stem, meta, number: f"phrases/{number:02d} {_words(meta)}",
    "audio_stem": lambda stem, meta, number: f"stems/{stem} {safe_name(meta['stem'])}",
    "audio_bus_stem": lambda stem, meta, number: f"stems/{stem} {_mix_stem(meta)}",
    "video_region_mask": lambda stem, meta, number: f"pictures/masks/{safe_name(meta['track_id'])}",
}
"""Kinds that have a place of their own: recording's name, meta and number -> path without extension."""

_RENDERED = {"master": "mix", "cut": "cut"}
"""A timeline's master, and the recording as its edit list leaves it."""


def _mix_stem(meta: Mapping[str, Any]) -> str:
    """``mix bus_drums``, with its timeline's name in between."""
    return safe_name(" ".join(("mix", str(meta.get("timeline_name", "")), str(meta["bus_id"]))))


def _mixed(meta: Mapping[str, Any]) -> str:
    """``mix``, and what its timeline is called."""
    name = str(meta.get("name", ""))
    return _RENDERED.get(name, f"mix {name}") + f" {meta.get('timeline_name', '')}".rstrip()


_ADDED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "audio_fx": lambda meta: f"fx {meta['preset_id']}",
    "audio_macro": lambda meta: f"macro {meta['preset_id']}",
    "audio_resampled": lambda meta: f"tempo {meta['tempo']:g} pitch {meta['pitch']:g}",
    "audio_render": _mixed,
    "audio_bus_stem": _mix_stem,
    "audio_normalised": lambda meta: "normalised",
    "pattern_render": lambda meta: "performance",
}
"""What follows the recording's name, where that is not the artifact's own."""

_PICTURES = {
    "transcribe.semantics": "timeline",
    "sample.pack": "samples",
    "detect.regions": "faces",
    "detect.visual_meta": "shots",
    "anonymise.faces": "anonymised",
}
"""What a step's picture is of, where that is not the step's own name."""

_SHOW_FACES = ("pictures/faces.png", "pictures/shots.png")

_DATA = {"manifest": "samples", "visual_meta": "shots", "shots": "shot list", "plan": "render plan"}
"""Plain names of documents, where the step's own is not."""


def _file_name(stem: str, step: str, artifact: Artifact, number: int) -> str:
    """Its path in the folder, without the extension. A new kind is called by its artifact's name."""
    kind, meta = artifact.kind, artifact.meta
    name = safe_name(str(meta.get("name", ""))) or kind
    if kind in _PLACES:
        return _PLACES[kind](stem, meta, number)
    if kind == "preview":
        return f"pictures/{_PICTURES.get(step, step.rpartition('.')[2])}"
    if artifact.content_type == "application/json":
        return f"data/{_DATA.get(name, name)}"
    if meta.get("instrument"):
        return f"stems/{stem} {safe_name(str(meta['instrument']))}"
    return f"{stem} {safe_name(added_name(kind, meta) or name)}"


def added_name(kind: str, meta: Mapping[str, Any]) -> str | None:
    """What such sound is called behind the recording's name, in folders and downloads alike: ``mix``,
    ``fx tape``; ``None``: by its own name.
    """
    return _ADDED[kind](meta) if kind in _ADDED else None


def captions_name(stem: str, meta: Mapping[str, Any]) -> str:
    """Beside the recording's name a translation's language, as players know it: ``talk.en``."""
    return f"{stem}.{meta['language']}" if meta.get("translated_from") else stem


def _musical(meta: Mapping[str, Any]) -> str:
    bars = meta["bars"]
    return f"{round(meta['bpm'])} BPM {bars:g} {'bar' if bars == 1 else 'bars'}"


def _words(meta: Mapping[str, Any]) -> str:
    told = _PUNCTUATION.sub("", str(meta.get("transcript") or ""))
    said = safe_name(told, _WORDS_BYTES).strip(" -'").lower()
    return said or f"at {meta['start_ms'] / 1000:.1f} s"


def _numbered(artifacts: Sequence[Artifact]) -> Iterator[tuple[int, Artifact]]:
    """Each with its number among those of its kind, from 1."""
    counts: dict[str, int] = {}
    for artifact in artifacts:
        counts[artifact.kind] = counts.get(artifact.kind, 0) + 1
        yield counts[artifact.kind], artifact


def _told_apart(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Every path once, upper and lower case alike: other bytes of the same name are told by what was wished
    otherwise for them than for the first, and numbered where nothing was.
    """
    held: dict[str, dict[str, Entry]] = {}
    paths: set[str] = set()
    for entry in entries:
        holders = held.setdefault(entry.path.casefold(), {})
        if entry.sha256 in holders:
            continue
        wished = _difference(entry, next(iter(holders.values()))) if holders else ""
        holders[entry.sha256] = entry
        plain = PurePosixPath(entry.path)
        if wished:
            plain = plain.with_name(f"{plain.stem} {wished}{plain.suffix}")
        path, number = plain, 1
        while str(path).casefold() in paths:
            number += 1
            path = plain.with_name(f"{plain.stem} ({number}){plain.suffix}")
        paths.add(str(path).casefold())
        yield replace(entry, path=str(path))


_WISHED: Mapping[str, tuple[str, ...]] = {
    "audio_fx": ("dry_wet", "gain_db", "tail_ms"),
    "audio_macro": ("dry_wet", "gain_db", "tail_ms"),
    "audio_resampled": ("quality",),
    "audio_render": ("export_preset",),
    "audio_normalised": ("target_lufs", "ceiling_dbtp", "on_ceiling"),
}
"""Params of takes that stand in their meta, beside their knobs."""
TAKES = tuple(_WISHED)
"""Kinds of which several stand side by side, told apart by what they differ in."""
_LEVELS = {"target_lufs": "LUFS", "ceiling_dbtp": "dBTP"}
_MOST_WISHED = 3


def _difference(entry: Entry, other: Entry) -> str:
    """``drive_db 20``, ``-14 LUFS``: the params that two takes of one name do not share, as this one has
    them.
    """
    ours, others = (_wishes(one.artifact) for one in (entry, other))
    differ = [name for name, value in ours.items() if value != others.get(name)][:_MOST_WISHED]
    return safe_name(" ".join(_told(name, ours[name]) for name in differ), _WORDS_BYTES)


def _told(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    unit = _LEVELS.get(name)
    return f"{value:g} {unit}" if unit else f"{name} {value:g}"


def _wishes(artifact: Artifact | None) -> dict[str, Any]:
    if artifact is None:
        return {}
    names = _WISHED.get(artifact.kind, ())
    wished = {name: artifact.meta[name] for name in names if name in artifact.meta}
    return {**artifact.meta.get("knob_values", {}), **wished}

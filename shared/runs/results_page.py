"""``index.html`` of a results folder: player, words, layers, pictures, files; opened without a server.

It links nothing but its own folder and states that to the browser, too (its content security policy).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from shared.contracts.asr_transcript import Transcript
from shared.contracts.asset import Asset
from shared.contracts.plurals import many
from shared.pipeline import title_of
from shared.runs.heard import Layer
from shared.runs.results_folder import UNBLURRED
from shared.runs.standing import Standing

_MOST_LISTED = 12
"""A folder of more files is shown folded."""
_BEST_FIRST = ("normalised", "anonymised", "render", "mix")


@dataclass(frozen=True)
class Listed:
    """A file of the folder."""

    path: str
    bytes: int
    content_type: str = ""
    shows: str = ""
    """What a picture is of."""


@dataclass(frozen=True)
class Page:
    """What there is to show."""

    stem: str
    asset: Asset
    standing: Sequence[Standing]
    files: Sequence[Listed]
    heard: Sequence[str] = ()
    loudness: str | None = None
    layers: Sequence[Layer] = ()
    transcript: Transcript | None = None


def results_page(page: Page) -> str:
    """The whole document; everything that was recorded or typed is escaped."""
    style, script = _part("css"), _part("js")
    policy = (
        f"default-src 'none'; img-src 'self' file:; media-src 'self' file:; base-uri 'none';"
        f" form-action 'none'; style-src {_hash(style)}; script-src {_hash(script)}"
    )
    body = "\n".join(
        (
            *_head(page),
            *_player(page),
            *_said(page.transcript),
            *_pictures(page.files),
            *_files(page.files),
            *_steps(page.standing),
        )
    )
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(page.stem)}</title>\n<style>{style}</style>\n"
        f'<body data-length-ms="{page.asset.media.duration_ms or 0}">\n{body}\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _head(page: Page) -> Iterator[str]:
    yield f"<header><h1>{escape(page.stem)}</h1>"
    yield f'<p class="dim">{escape(" · ".join(_recorded(page.asset)))}</p>'
    facts = list(page.heard)
    if page.loudness:
        facts.append(f"loudness {page.loudness}")
    if facts:
        yield f'<ul class="facts">{"".join(f"<li>{escape(fact)}</li>" for fact in facts)}</ul>'
    for notice in page.asset.media.every_notice:
        yield f'<p class="dim">{escape(notice)}</p>'
    yield "</header><main>"


def _recorded(asset: Asset) -> Iterator[str]:
    media = asset.media
    if asset.file_name:
        yield asset.file_name
    if media.duration_ms:
        yield _clock(media.duration_ms)
    for video in media.video[:1]:
        rate = f", {video.frame_rate:.4g} frames/s" if video.frame_rate else ""
        yield f"{video.width} × {video.height}{rate}"
    for audio in media.audio[:1]:
        channels = {1: "mono", 2: "stereo"}.get(audio.channels, f"{audio.channels} channels")
        yield f"{audio.sample_rate_hz / 1000:g} kHz {channels}"


def _player(page: Page) -> Iterator[str]:
    takes = sorted(filter(_plays, page.files), key=_goodness)
    video = any(take.content_type.startswith("video/") for take in takes)
    if video:
        takes = [take for take in takes if take.content_type.startswith("video/")]
    lanes = list(_lanes(page))
    if not takes and not lanes:
        return
    yield '<section class="card" aria-label="Player">'
    if takes:
        tag = "video" if video else "audio"
        yield f'<{tag} controls preload="metadata" src="{_link(takes[0].path)}"></{tag}>'
    if len(takes) > 1:
        yield '<div class="takes" role="group" aria-label="Which one">'
        for number, take in enumerate(takes):
            pressed = "false" if number else "true"
            label = escape(_take_name(page.stem, take.path))
            yield f'<button data-src="{_link(take.path)}" aria-pressed="{pressed}">{label}</button>'
        yield "</div>"
    yield from lanes
    yield "</section>"


def _plays(file: Listed) -> bool:
    return "/" not in file.path and file.content_type.startswith(("audio/", "video/"))


def _goodness(file: Listed) -> int:
    return next((n for n, word in enumerate(_BEST_FIRST) if f" {word}" in file.path), 9)


def _take_name(stem: str, path: str) -> str:
    return path.rpartition(".")[0].removeprefix(stem).strip() or "the recording"


def _lanes(page: Page) -> Iterator[str]:
    length_ms = page.asset.media.duration_ms
    if not page.layers or not length_ms:
        return
    yield '<div class="lanes"><i class="now"></i>'
    for layer in page.layers:
        yield f'<div class="lane"><span>{escape(layer.name)}</span>'
        box = f'viewBox="0 0 {length_ms} 10" preserveAspectRatio="none"'
        yield f'<svg {box} role="img" aria-label="{len(layer.marks)} {escape(layer.name)}">'
        least_ms = length_ms / 500
        for mark in layer.marks:
            width_ms = max(mark.end_ms - mark.start_ms - least_ms / 2, least_ms)
            if layer.name == "hits":  # where it begins is what matters, and they overlap
                width_ms = least_ms
            title = escape(f"{mark.label}, {_clock(mark.start_ms)}")
            yield (
                f'<rect x="{mark.start_ms:.0f}" width="{width_ms:.0f}" height="10">'
                f"<title>{title}</title></rect>"
            )
        yield "</svg></div>"
    yield "</div>"


def _said(transcript: Transcript | None) -> Iterator[str]:
    if transcript is None or not transcript.words:
        return
    yield '<h2>What was said</h2><section class="card said">'
    for cue in transcript.cues:
        told = [_clock(cue.start_ms)]
        if cue.speaker_id:
            named = transcript.speaker_names.get(cue.speaker_id)
            told.append(named or cue.speaker_id.replace("_", " "))
        yield f"<p><small>{escape(' · '.join(told))}</small>"
        for word in transcript.words[cue.first_word : cue.first_word + cue.word_count]:
            times = f'data-ms="{word.start_ms}" data-end-ms="{word.end_ms}"'
            yield f"<button {times}>{escape(word.text.strip())}</button>"
        yield "</p>"
    yield "</section>"


def _pictures(files: Sequence[Listed]) -> Iterator[str]:
    shown = [file for file in files if file.path.startswith("pictures/") and file.shows]
    faces = [file for file in shown if file.path.startswith(UNBLURRED)]
    if shown:
        yield "<h2>Pictures</h2>"
    if others := [file for file in shown if file not in faces]:
        yield from _figures(others)
    if faces:
        yield f"<details><summary>{escape(UNBLURRED)} shows faces that the video has covered: "
        yield "remove it before you pass this folder on</summary>"
        yield from _figures(faces)
        yield "</details>"


def _figures(pictures: Sequence[Listed]) -> Iterator[str]:
    yield '<section class="pictures">'
    for file in pictures:
        told, link = escape(file.shows), _link(file.path)
        yield f'<figure><a href="{link}"><img loading="lazy" src="{link}" alt="{told}"></a>'
        yield f"<figcaption>{told}</figcaption></figure>"
    yield "</section>"


def _files(files: Iterable[Listed]) -> Iterator[str]:
    yield "<h2>Files</h2>"
    ordered = sorted(files, key=lambda file: ("/" in file.path, file.path.casefold()))
    for folder, held in groupby(
        ordered, key=lambda file: file.path.rpartition("/")[0].split("/")[0]
    ):
        rows = list(held)
        if not folder:
            yield _table(rows, folder)
            continue
        some = many(len(rows), "file")
        is_open = " open" if len(rows) <= _MOST_LISTED and folder != "data" else ""
        yield f'<details{is_open}><summary>{escape(folder)}/ <span class="dim">{some}</span></summary>'
        yield f"{_table(rows, folder)}</details>"


def _table(files: Sequence[Listed], folder: str) -> str:
    rows = []
    for file in files:
        name = escape(file.path.removeprefix(f"{folder}/"))
        link = _link(file.path)
        rows.append(f'<tr><td><a href="{link}">{name}</a></td><td>{_size(file.bytes)}</td></tr>')
    return f"<table>{''.join(rows)}</table>"


def _steps(standing: Sequence[Standing]) -> Iterator[str]:
    yield '<h2>How it was made</h2><table class="steps">'
    for one in standing:
        why = escape(one.error or one.reason or "")
        on = f" of {escape(one.made_from)}" if one.made_from else ""
        yield f"<tr><td>{escape(title_of(one.step))}{on}</td><td>{one.state.value}</td><td>{why}</td></tr>"
    yield "</table></main>"


def _link(path: str) -> str:
    """Relative, and never read as an address of its own: a name may hold a colon or a mark."""
    return escape("./" + quote(path))


def _clock(at_ms: float) -> str:
    minutes, tenths = divmod(round(at_ms / 100), 600)
    return f"{minutes}:{tenths / 10:04.1f}"


def _size(count: int) -> str:
    if count < 1000:
        return many(count, "byte")
    return f"{count / 1000:,.0f} kB" if count < 1_000_000 else f"{count / 1_000_000:,.1f} MB"


@cache
def _part(extension: str) -> str:
    return Path(__file__).with_suffix(f".{extension}").read_text("utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"

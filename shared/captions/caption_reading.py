"""Caption files of any kind as cues: ``pysubs2`` reads ASS, ``ttconv`` what broadcasters have."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from shared.captions.library_logs import told_by
from shared.captions.text_cues import TimedText, srt_cues, vtt_cues
from shared.captions.text_width import cleaned
from shared.contracts.asr_transcript import ShownCue
from shared.errors import UnsupportedMedia

if TYPE_CHECKING:
    from ttconv.model import ContentDocument

MOST_BYTES = 20_000_000
"""No programme's captions are longer."""


def read_captions(path: Path) -> list[ShownCue]:
    """The file's cues in order, by its extension: SRT, VTT, ASS, TTML, SCC, EBU STL.

    Raises ``UnsupportedMedia`` for another kind, and for what cannot be read as the kind it is
    called; ``OSError`` where there is no file.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in _READERS:
        raise UnsupportedMedia(f"{path.name}: captions are {', '.join(_READERS)}")
    if path.stat().st_size > MOST_BYTES:
        raise UnsupportedMedia(
            f"{path.name} is larger than {MOST_BYTES // 1_000_000} MB: is it captions?"
        )
    try:
        with told_by("ttconv", logging.ERROR) as heard:
            cues = _READERS[kind](path.read_bytes())
    except Exception as error:  # whatever a parser trips over in a damaged file
        raise UnsupportedMedia(f"{path.name} cannot be read as {kind}: {error}") from error
    if heard:
        raise UnsupportedMedia(f"{path.name} cannot be read as {kind}: {heard[0]}")
    if not cues:
        raise UnsupportedMedia(f"{path.name} holds no cue that can be read as {kind}")
    return sorted(cues, key=lambda cue: cue.start_ms)


def _ass(body: bytes) -> list[ShownCue]:
    """Drawings are not read: their text is lines and curves. A brace that nobody closes is none."""
    import pysubs2

    file = pysubs2.SSAFile.from_string(_NEVER_CLOSED.sub("", _decoded(body)), format_="ass")
    return [
        _cue(event.start, event.end, unescape(event.plaintext)) for event in file if event.is_text
    ]


_NEVER_CLOSED = re.compile(r"\{(?=[^{}\r\n]*(?:[{\r\n]|\Z))")
"""From each of them pysubs2 looks through the rest of the line: 400 kB of them took minutes."""


def _by_lines(read: Callable[[str], Iterator[TimedText]]) -> Callable[[bytes], list[ShownCue]]:
    return lambda body: [_cue(*cue) for cue in read(_decoded(body))]


def _by_ttconv(parse: Callable[[bytes], ContentDocument]) -> Callable[[bytes], list[ShownCue]]:
    def read(body: bytes) -> list[ShownCue]:
        document = parse(body)
        return list(_paragraphs(document.get_body(), Fraction(0), None))

    return read


def _ttml(body: bytes) -> Any:
    from ttconv.imsc.reader import to_model

    tree = ElementTree.parse(BytesIO(body))
    _let_last(tree.getroot())
    return to_model(tree)


def _let_last(root: ElementTree.Element) -> None:
    """Give an end to a ``body`` and ``div`` that begin later and say none.

    ttconv reckons it from their paragraphs without their own beginning (1.2.3), and drops all of a ``div``
    that begins behind the last of its paragraphs' times.
    """
    parts = [one for one in root.iter() if str(one.tag).rpartition("}")[2] in ("body", "div")]
    if any(one.get("timeContainer") == "seq" for one in parts):
        return
    for part in parts:
        if part.get("begin") and not (part.get("end") or part.get("dur")):
            part.set("end", _NEVER)


_NEVER = "999h"


def _scc(body: bytes) -> Any:
    from ttconv.scc.reader import to_model

    return to_model(_decoded(body))


def _stl(body: bytes) -> Any:
    from ttconv.stl.reader import to_model

    return to_model(BytesIO(body))


_READERS: Mapping[str, Callable[[bytes], list[ShownCue]]] = {
    "srt": _by_lines(srt_cues),
    "vtt": _by_lines(vtt_cues),
    "ass": _ass,
    "ttml": _by_ttconv(_ttml),
    "xml": _by_ttconv(_ttml),
    "dfxp": _by_ttconv(_ttml),
    "scc": _by_ttconv(_scc),
    "stl": _by_ttconv(_stl),
}


def _decoded(body: bytes) -> str:
    """UTF-8 with or without its mark, UTF-16 and UTF-32 with it.

    Raises ``ValueError`` for any other code: which one it is nobody can tell from the bytes.
    """
    code = next((code for mark, code in _MARKS.items() if body.startswith(mark)), "utf-8-sig")
    try:
        return body.decode(code)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not in UTF-8 (byte {error.start}): save it as UTF-8") from error


_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


def _cue(start_ms: float, end_ms: float, text: str) -> ShownCue:
    return ShownCue(start_ms=round(start_ms), end_ms=round(end_ms), text=cleaned(text))


def _paragraphs(element: Any, start: Fraction, end: Fraction | None) -> Iterator[ShownCue]:
    """The paragraphs below an element that is shown in ``[start, end)``; theirs count from its start."""
    from ttconv.model import P

    for child in element or ():
        first = start + (child.get_begin() or 0)
        last = end if child.get_end() is None else start + child.get_end()
        if isinstance(child, P):
            text = cleaned(_text(child))
            if text:
                yield _cue(
                    float(1000 * first), float(1000 * (first if last is None else last)), text
                )
        else:
            yield from _paragraphs(child, first, last)


def _text(element: Any) -> str:
    from ttconv.model import Br, Text

    if isinstance(element, Text):
        return str(element.get_text())
    return "\n" if isinstance(element, Br) else "".join(map(_text, element))

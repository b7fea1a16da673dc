"""EBU STL, the European broadcasters' exchange format (EBU Tech 3264-E, February 1991).

A file is a General Subtitle Information block of 1024 bytes, then Text and Timing blocks of 128: here
level-1 teletext, 25 frames a second, double height in a box, centred at the bottom. The text is Latin
(ISO 6937/2), Cyrillic (ISO 8859-5) or Greek (8859-7); Arabic and Hebrew are not written, for receivers
don't agree on the order of their letters.
"""

from __future__ import annotations

import codecs
import struct
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from shared.captions.rewrapping import rewrapped
from shared.captions.text_width import cleaned
from shared.contracts.asr_transcript import ShownCue
from shared.errors import ValidationError

_FPS = 25
_COLUMNS, _ROWS = 37, 4
"""Teletext's 40, less the codes for double height and the box."""
_BOTTOM_ROW = 22
"""The first of the last two rows, which a line of double height takes."""
_DOUBLE_HEIGHT, _BOX, _BOX_END, _NEW_LINE, _UNUSED = (
    b"\x0d",
    b"\x0b\x0b",
    b"\x0a\x0a",
    b"\x8a",
    b"\x8f",
)
_FIELD_BYTES = 112
_LAST_BLOCK = 0xFF
_CENTRED = 2
_NO_DATE = b"000101"
"""A file of the same captions is the same file, whenever it is written."""
_LANGUAGES = {
    **{"cs": b"06", "da": b"07", "de": b"08", "en": b"09", "es": b"0A", "et": b"0C", "fr": b"0F"},
    **{"ga": b"11", "it": b"15", "lv": b"18", "lt": b"1A", "hu": b"1B", "nl": b"1D", "no": b"1E"},
    **{"pl": b"20", "pt": b"21", "ro": b"22", "sr": b"24", "sk": b"25", "sl": b"26", "fi": b"27"},
    **{"sv": b"28", "tr": b"29", "bg": b"77", "el": b"70", "ru": b"56", "uk": b"49", "hr": b"04"},
}
"""Appendix 3: codes of the languages that these letters write."""
_CODE_TABLES = {b"01": "iso8859_5", b"03": "iso8859_7"}


def captions_to_stl(cues: Sequence[ShownCue], language: str = "und") -> bytes:
    """The file. Raises ``ValidationError`` for letters that it does not hold, and beyond 24 hours."""
    texts = [cleaned(cue.text) for cue in cues]
    table = _table_for("".join(texts))
    blocks: list[bytes] = []
    free_frame = 0
    for index, (cue, text) in enumerate(zip(cues, texts, strict=True)):
        rows = rewrapped(text, _COLUMNS, _ROWS, language)
        if len(rows) > _ROWS:
            raise ValidationError("formats", f"stl holds rows of 37: cue {index + 1} is longer")
        first = max(free_frame, _frame(cue.start_ms))
        free_frame = max(first + 1, _frame(cue.end_ms))
        blocks += _text_blocks(index, (first, free_frame), [_encoded(row, table) for row in rows])
    first_in = _timecode(_frame(cues[0].start_ms)) if cues else bytes(4)
    counts = (len(blocks), len(cues), min(1, len(cues)))
    return _information(table, language, counts, first_in) + b"".join(blocks)


def _information(
    table: bytes, language: str, counts: tuple[int, int, int], first_in: bytes
) -> bytes:
    """The General Subtitle Information block; its counts are of blocks, subtitles and groups."""
    code = _LANGUAGES.get(language.split("-", maxsplit=1)[0], b"00")
    start = "".join(f"{part:02d}" for part in first_in).encode()
    fields = [
        *(b"850", b"STL25.01", b"1", table, code),
        *(b" " * 32 for _ in range(6)),  # titles and translator
        *(b" " * 16, _NO_DATE, _NO_DATE, b"00"),
        *(b"%05d" % counts[0], b"%05d" % counts[1], b"%03d" % counts[2]),
        *(b"40", b"23", b"1", b"00000000", start, b"1", b"1", b"   "),
        *(b" " * 32 for _ in range(3)),  # publisher and editor
    ]
    return b"".join(fields).ljust(1024)


def _text_blocks(number: int, frames: tuple[int, int], rows: Sequence[bytes]) -> Iterator[bytes]:
    """One subtitle's Text and Timing blocks: more than one where its text is longer than a field."""
    boxed = (_DOUBLE_HEIGHT + _BOX + row + _BOX_END for row in rows)
    text = (2 * _NEW_LINE).join(boxed)
    fields = [text[at : at + _FIELD_BYTES] for at in range(0, len(text), _FIELD_BYTES)]
    row = _BOTTOM_ROW - 2 * (len(rows) - 1)
    for extension, field in enumerate(fields):
        last = extension == len(fields) - 1
        head = struct.pack("<BHBB", 0, number, _LAST_BLOCK if last else extension, 0)
        times = b"".join(_timecode(frame) for frame in frames)
        yield head + times + bytes((row, _CENTRED, 0)) + field.ljust(_FIELD_BYTES, _UNUSED)


def _frame(time_ms: int) -> int:
    return round(time_ms * _FPS / 1000)


def _timecode(frame: int) -> bytes:
    """Hours, minutes, seconds and frames, a byte each."""
    seconds, frames = divmod(frame, _FPS)
    if seconds >= 24 * 3600:
        raise ValidationError("formats", "stl counts to 24 hours: these captions go on")
    return bytes((seconds // 3600, seconds // 60 % 60, seconds % 60, frames))


def _table_for(text: str) -> bytes:
    """The first character code table that has all letters."""
    lacking = [sign for sign in dict.fromkeys(text) if sign != "\n" and _latin(sign) is None]
    for table, codec in _CODE_TABLES.items():
        if not lacking:
            break
        if all(_by_codec(sign, codec) for sign in dict.fromkeys(text) if sign != "\n"):
            return table
    if lacking:
        told = ", ".join(f"{sign!r} (U+{ord(sign):04X})" for sign in lacking[:3])
        raise ValidationError("formats", f"stl has no {told}")
    return b"00"


def _encoded(text: str, table: bytes) -> bytes:
    if table == b"00":
        return b"".join(_latin(sign) or b"" for sign in unicodedata.normalize("NFC", text))
    return b"".join(_by_codec(sign, _CODE_TABLES[table]) or b"" for sign in text)


_NEAR = {"…": "...", "–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "‑": "-"}


def _by_codec(sign: str, codec: str) -> bytes | None:
    try:
        return codecs.encode(_NEAR.get(sign, sign), codec)
    except UnicodeEncodeError:
        return None


def _latin(sign: str) -> bytes | None:
    """In ISO 6937; a letter with an accent is the accent, then the letter."""
    coded = _latin_codes()
    if sign in coded:
        return coded[sign]
    near = _NEAR.get(sign, "")
    return b"".join(coded[one] for one in near) if near else None


@lru_cache(maxsize=1)
def _latin_codes() -> dict[str, bytes]:
    """Turned round from ttconv's decoder, so that both tables are one."""
    from ttconv.stl import iso6937

    codes: dict[str, bytes] = {chr(code): bytes((code,)) for code in range(0x20, 0x7F)}
    singles = (bytes((code,)) for code in range(0xA0, 0x100))
    pairs = (bytes((accent, base)) for accent in range(0xC1, 0xD0) for base in range(0x20, 0x7F))
    for coded in (*singles, *pairs):
        try:
            sign = iso6937.decode(coded, errors="strict")[0]
        except (UnicodeDecodeError, KeyError, IndexError):
            continue
        if len(sign) == 1:
            codes.setdefault(sign, coded)
    return codes

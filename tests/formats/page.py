"""docs/formats.md: what happens to which container, codec and oddity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.formats.judging import Verdict
from tests.formats.pictures import PictureCase
from tests.formats.sounds import SoundCase

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
Case = SoundCase | PictureCase
Judged = Sequence[tuple[Case, Verdict]]

_HEAD = """# What is read: containers, codecs, oddities

`make formats` makes one file for each of {every} combinations (ffmpeg {ffmpeg}, numpy), runs the engines on
it, compares what they say and make with the truth and with other tools, and writes this page. Of the
{count} that were run last: **{right} right, {refused} refused by code as they should be, {wrong} wrong.**

- Sound, {sounds} combinations: probe, `transform.loudness`, `transform.normalise`. Length, rate and channels;
  each channel of the result in its place and at its time (to the sample for what is lossless, within the
  codec's own delay for what is not) by correlation with the truth and with libsndfile; loudness within 0.1 LU
  (lossy 0.3, MP3 0.6, joined 0.5, coders of speech 1.5) and true peak by pyloudnorm and scipy; lengths
  by ffprobe and mutagen.
- Pictures, {pictures} combinations: probe, `detect.regions`, `anonymise.faces`, `render.video`. By ffprobe
  and by decoding with ffmpeg: the size as shown, every frame and no other, the face covered in each of them,
  the quarters' colours where they belong, a mark and a tone together within a frame and a packet (65 ms),
  H.264 with 4:2:0 and AAC.

The table as it stands is of one pass, in which one of 434 was wrong (MPEG-PS with H.264), and of
that one again, once mended.

A refusal has the code in the table and says what to do; [errors](errors.md) lists the codes. How several
streams, channels without a layout and orientations are read is in [sound](sound.md) and [video](video.md).
"""


def page(judged: Judged, every: int, ffmpeg: str) -> str:
    """The whole page, of what was run; ``every``: how many combinations there are."""
    sounds = [pair for pair in judged if isinstance(pair[0], SoundCase)]
    films = [pair for pair in judged if isinstance(pair[0], PictureCase)]
    wrong = sum(bool(verdict.wrong) for _, verdict in judged)
    refused = sum(bool(case.refused) and not verdict.wrong for case, verdict in judged)
    head = _HEAD.format(
        every=every, count=len(judged), ffmpeg=ffmpeg, right=len(judged) - wrong - refused, refused=refused,
        wrong=wrong, sounds=len(sounds), pictures=len(films),
    )  # fmt: skip
    parts = [head]
    for title, pairs in (("Sound", sounds), ("Pictures", films)):
        parts.append(f"## {title}: containers and codecs\n\n{_by_container(pairs)}")
        parts.append(f"## {title}: oddities\n\n{_by_oddity(pairs)}")
    return "\n".join(parts)


def _by_container(judged: Judged) -> str:
    """A row for each container: its codecs by what happens."""
    rows: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for case, verdict in judged:
        if not case.oddity:
            rows[case.container][_happens(verdict)].append(case.codec)
    lines = ["| container | read | not read |", "| --- | --- | --- |"]
    for container, outcomes in rows.items():
        read = ", ".join(outcomes.pop("right", []))
        others = "; ".join(f"{', '.join(codecs)}: {what}" for what, codecs in outcomes.items())
        lines.append(f"| {container} | {read} | {others} |")
    return "\n".join(lines) + "\n"


def _by_oddity(judged: Judged) -> str:
    """A row for each oddity: in which files it was tried, what happens, what is told."""
    rows: dict[tuple[str, str], list[str]] = defaultdict(list)
    told: dict[tuple[str, str], str] = {}
    for case, verdict in judged:
        if case.oddity:
            key = (case.oddity, _happens(verdict))
            rows[key].append(f"{case.container} ({case.codec})")
            told.setdefault(key, _short(verdict.notices))
    lines = ["| oddity | tried in | what happens | what is told |", "| --- | --- | --- | --- |"]
    for (oddity, happens), tried in rows.items():
        lines.append(f"| {oddity} | {', '.join(tried)} | {happens} | {told[oddity, happens]} |")
    return "\n".join(lines) + "\n"


def _happens(verdict: Verdict) -> str:
    if verdict.wrong:
        return "**wrong**"
    return "right" if verdict.outcome == "right" else f"`{verdict.outcome}`"


def _short(notices: Iterable[str]) -> str:
    return " ".join(notices).replace("|", "/").replace("\n", " ")

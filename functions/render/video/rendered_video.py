"""One rendering: whole, or a segment of it and the join of all.

Captions, crops and covers go by the time of the whole rendering, so a segment's pictures are those that
the whole would have. Sound is made once, for all of it.

    source      the covered video or the recording, decoded to planar YUV of 8 bits, or its own bits
    pictures    at their times, cropped, some of them enlarged; scaled and captioned by ffmpeg's filters
    encoded     x264 (``shared.media.encode``), on a clock of 90 kHz
    or copied   groups of pictures that an edit list leaves whole (``copied_groups``); where that comes to
                nothing, all is encoded, and the meta says why
    sound       cut to the sample, AAC of 192 kbit/s at 48 kHz
    checked     against the plan, before anything is delivered (``check``)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from functions.render.cut.cutting_plan import cutting
from functions.render.cut.listed import MOST_JOINS_TOLD, heard_by, told
from functions.render.cut.sounding import write_cut
from functions.render.video.burning import burnt_in, left_by, moved, write_track
from functions.render.video.caption_styles import STYLES
from functions.render.video.check import check_rendering
from functions.render.video.copied_groups import plan_copying, write_copying
from functions.render.video.reframe import CropPath, crop_path
from functions.render.video.rendered_windows import PunchIn, Window
from functions.render.video.shown_windows import (
    Shown,
    Source,
    shown_on_borders,
    shown_pictures,
    thinned,
    write_pictures,
)
from functions.render.video.soundtrack import RATE_HZ, write_sound
from functions.render.video.track_languages import track_language
from functions.render.video.video_plan import CAPTIONS_STEP, FACES_STEP, VISUAL_STEP, Plan
from shared.contracts.asr_transcript import Transcript
from shared.contracts.asset import MediaInfo
from shared.contracts.step_engine import Job, Output, Part
from shared.contracts.visual import VisualMeta
from shared.editing.time_map import time_map
from shared.errors import BackendFailed
from shared.media.coded_pictures import NotCopyable
from shared.media.encode import (
    PLAYABLE,
    PictureWriter,
    Planes,
    Written,
    evened,
    for_everyone,
    passing_format,
)
from shared.media.ffmpeg import timeout_for
from shared.media.formats import MOV
from shared.media.frames import PictureFormat, Span, first_video, picture_format
from shared.media.packets import walk_packets
from shared.media.picture_segments import Segment, join_segments
from shared.media.probe import probe

_CLOCK = Fraction(1, 90_000)
"""Seconds of a tick of the rendering."""
_SLOW = 30.0
"""Seconds of work for one of rendering that encoding may take before it is stopped."""
_CUTTING = 0.05
"""So much of the progress is the sound's."""
_SCALER = "lanczos+accurate_rnd+full_chroma_int"
"""ffmpeg's words for scaling: Lanczos, rounded exactly, from all of the chroma."""
_WHOLE: Span = (None, None)


@dataclass(frozen=True)
class RenderedVideo:
    """One rendering of a recording."""

    job: Job
    plan: Plan

    def whole(self, described: Mapping[str, Any]) -> Output:
        """Write the file in one go, and check it; ``described``: the plan, for the meta.

        Raises ``BackendFailed`` where the file is not what was planned, and as decoding and encoding do.
        """
        source, form = self._source()
        written = self._with_sound(self._pictured(self._path, source, form))
        # Where copying comes to nothing, encoding begins anew: what was told stays told.
        progress = self._telling(_WHOLE)
        try:
            copying = plan_copying(self.plan, source)
            count, copied = write_copying(copying, written, progress), copying.told()
        except NotCopyable as error:
            count = self._write(source, written, _WHOLE, progress)
            copied = self._encoded(str(error))
        return self._checked(count, copied, described)

    def segment(self, part: Part) -> Path:
        """The pictures that begin to be shown in the part; an empty file where there are none.

        Their times are those of the whole rendering. Raises ``BackendFailed`` where the file has another
        number of them than were written.
        """
        within_ms = self._within_ms(part)
        source, form = self._source()
        path = self.job.workdir / "segment.mp4"
        # MP4 says when its first picture is shown in a clock of its own, of milliseconds as a rule.
        written = replace(
            self._pictured(path, source, form),
            streams=("-movie_timescale", f"{_CLOCK.denominator}"),
        )
        if within_ms[1] is not None:
            written = replace(written, end_s=_to_the_microsecond(within_ms[1]))
        count = self._write(source, written, within_ms, self._telling(within_ms))
        if count == 0:
            path.write_bytes(b"")
        elif (found := walk_packets(path, MOV)[0].packets) != count:
            raise BackendFailed("ffmpeg", f"it wrote {found} of {count} frames")
        return path

    def join(self, files: Sequence[Path], described: Mapping[str, Any]) -> Output:
        """The file of all segments, and the sound; checked. ``files``: the segments in order, some empty."""
        source, form = self._source()
        segments, count = [], 0
        for number, file in enumerate(files):
            if file.stat().st_size:
                path = file.replace(self.job.workdir / f"segment_{number:05d}.mp4")
                times = walk_packets(path, MOV)[0]
                segments.append(Segment(path, Fraction(f"{times.start_s:.6f}")))
                count += times.packets
        join_segments(segments, self._with_sound(self._written(self._path, source, form)))
        return self._checked(count, self._encoded("it was rendered in parts"), described)

    @property
    def _path(self) -> Path:
        return self.job.workdir / "render.mp4"

    def _within_ms(self, part: Part) -> Span:
        """What of the rendering's time a part is, in ms, half open: of an edit list, what is left of its
        stretch. The first part begins before everything, the last has no end: no picture is between two."""
        edits, start_ms, end_ms = self.plan.edits, float(part.start_ms), float(part.end_ms)
        last_ms = self.plan.duration_ms if edits is None else float(self.job.media.duration_ms or 0)
        first, last = part.start_ms == 0, part.end_ms >= round(last_ms)
        if edits is not None:
            whole = time_map(edits)
            start_ms, end_ms = whole.to_new_ms(start_ms), whole.to_new_ms(end_ms)
        return None if first else start_ms, None if last else end_ms

    def _telling(self, within_ms: Span) -> Callable[[float], None]:
        """What tells progress by times of the rendering, in ms. It never falls."""
        begin_ms = within_ms[0] or 0.0
        end_ms = self.plan.duration_ms if within_ms[1] is None else within_ms[1]
        lasting_ms = max(1.0, end_ms - begin_ms)
        reached = [0.0]

        def tell(at_ms: float) -> None:
            done = max(0.0, at_ms - begin_ms) / lasting_ms
            reached[0] = max(reached[0], min(0.95, _CUTTING + 0.9 * done))
            self.job.progress(reached[0])

        return tell

    def _write(
        self,
        source: Source,
        written: Written,
        within_ms: Span,
        progress: Callable[[float], None],
    ) -> int:
        """Encode the pictures; returns how many there are. Without any, no encoder is started."""
        shown, shapes = self._shown(source, within_ms), (source.planes, written.planes)
        first = next(shown, None)
        if first is None:
            return 0
        with PictureWriter(written) as writer:
            return write_pictures(
                chain([first], shown),
                (*shapes, self._crop_path()),
                writer.write,
                larger=self._larger(),
                progress=progress,
            )

    def _encoded(self, why: str) -> dict[str, Any]:
        """What is told of a list of which nothing was copied."""
        encoded_s = round(self.plan.duration_ms / 1000, 3)
        return {"copied_s": 0.0, "encoded_s": encoded_s, "encoded_because": why}

    def _checked(
        self, count: int, copied: Mapping[str, Any], described: Mapping[str, Any]
    ) -> Output:
        """The result, once the file is as it was planned. ``copied``: how much of an edit list's was.

        Parents are the artifacts that were taken, and the edit list.
        """
        job, plan, path = self.job, self.plan, self._path
        checked = check_rendering(path, plan, count, sound=bool(job.media.audio))
        meta = {"plan": dict(described), "dry_run": False, **checked}
        parents = tuple(file.artifact_id for _, file in sorted(plan.used.items()))
        if plan.edits is None:
            return Output("video_render", "render", path, "video/mp4", meta, parents)
        meta |= told(plan.edits, cutting(plan.edits, RATE_HZ)) | dict(copied)
        jumps_ms = [round(at_ms, 3) for at_ms in plan.jumps_ms]
        meta["jump_cuts_ms"] = jumps_ms if len(jumps_ms) <= MOST_JOINS_TOLD else None
        parents = (*parents, str(plan.params.edit_list))
        return Output("video_render", "cut", path, "video/mp4", meta, parents)

    def _shown(self, source: Source, within_ms: Span) -> Iterator[Shown]:
        """The pictures, each at its time: on borders where an edit list cuts an even rate, otherwise at their
        own times; of those that come less than half a frame apart, where anything is sped up, the first."""
        plan, stream = self.plan, first_video(self.job.media)
        if plan.edits is None:
            return shown_pictures(source, plan.windows, within_ms)
        if stream.frame_rate_kind == "constant":
            return shown_on_borders(source, plan.windows, 2 * self._half_frame_ms, within_ms)
        shown = shown_pictures(source, plan.windows, within_ms)
        faster = any(window.speed != 1 for window in plan.windows)
        return thinned(shown, self._half_frame_ms) if faster else shown

    def _larger(self) -> Callable[[float], bool]:
        """Whether the picture of a time of the rendering, in ms, is enlarged."""
        if not self.plan.params.punch_in:
            return lambda _: False
        return PunchIn(self.plan.jumps_ms, self._half_frame_ms).at

    @property
    def _half_frame_ms(self) -> float:
        return 500 / self.plan.frame_rate

    def _source(self) -> tuple[Source, PictureFormat]:
        """Where pictures come from, and how the rendering is tagged.

        8 bits and 4:2:0 unless ``pixels`` asks for the recording's own; HDR is mapped to BT.709 all the same.
        Pixels are square, and fields joined.
        """
        anonymised = self.plan.used.get(FACES_STEP)
        path, media = self.job.source, self.job.media
        if anonymised:
            path = anonymised.path
            media = _media_of(_Covered(anonymised.artifact_id, path.stat().st_size, path))
        form = picture_format(path, media)
        kept = PLAYABLE
        if self.plan.params.pixels == "source" and not form.hdr:
            kept = passing_format(form.pixel_format, *self.plan.size)
        # A container may have rounded the pixels' shape: what is cut out must fit all the same.
        shown = first_video(media).shown_size
        size = max(shown[0], self.plan.crop[0]), max(shown[1], self.plan.crop[1])
        form = replace(for_everyone(form), time_base=_CLOCK, field_order=None)
        return Source(path, media, Planes(*size, kept)), replace(form, sample_aspect=Fraction(1))

    def _crop_path(self) -> CropPath:
        """Of the recording's picture as it is seen, in its pixels."""
        shown = first_video(self.job.media).shown_size
        meta: VisualMeta | None = None
        if VISUAL_STEP in self.plan.used:
            meta = VisualMeta.read(self.plan.used[VISUAL_STEP].path)
        return crop_path(shown, self.plan.crop, meta)

    def _written(self, path: Path, source: Source, form: PictureFormat) -> Written:
        """A file with pictures alone, of the crop's size, the last of which is shown until the plan's end."""
        return Written(
            path,
            Planes(*self.plan.crop, source.planes.pixel_format),
            form,
            end_s=_to_the_microsecond(self.plan.duration_ms),
            timeout_s=timeout_for(round(self.plan.duration_ms), realtime_factor=_SLOW),
        )

    def _pictured(self, path: Path, source: Source, form: PictureFormat) -> Written:
        """A file whose pictures are scaled, and have captions in them."""
        written = self._written(path, source, form)
        crop = written.planes
        filters = [] if crop.pixel_format != PLAYABLE else evened(crop.width, crop.height)
        if self.plan.size != (crop.width + crop.width % 2, crop.height + crop.height % 2):
            filters = [f"scale={self.plan.size[0]}:{self.plan.size[1]}:flags={_SCALER}"]
        return replace(written, filters=[*filters, *self._burnt_in()])

    def _with_sound(self, written: Written) -> Written:
        """With the sound, and captions as a track, beside its pictures."""
        inputs, streams = self._sound()
        number = 2 if inputs else 1
        track, language = self._track()
        if track:
            inputs += _opened("srt", track)
            streams += ["-map", f"{number}:s", "-c:s", "mov_text"]
            streams += ["-metadata:s:s:0", f"language={language}"]
        return replace(written, inputs=inputs, streams=streams)

    def _sound(self) -> tuple[list[str], list[str]]:
        """ffmpeg's words that open the sound as input 1, and those that code it; none without sound.

        Made first, as float samples at 48 kHz in ``sound.f32``. Of an edit list it is the stream that the
        list was made of, unless a param names another.
        """
        media, path = self.job.media, self.job.workdir / "sound.f32"
        if not media.audio:
            return [], []
        if self.plan.edits is None:
            channels = write_sound(path, self.job.source, media, self.plan.windows)
        else:
            edits = self.plan.edits
            media = media if self.plan.params.stream is not None else heard_by(media, edits)
            channels = min(2, media.heard.channels)
            write_cut(path, self.job.source, media, edits, (RATE_HZ, channels), self._cutting)
        shape = ["-ar", f"{RATE_HZ}", "-ac", f"{channels}"]
        coded = ["-map", "1:a", "-c:a", "aac", "-b:a", "192k", "-flags:a", "+bitexact"]
        return [*shape, *_opened("f32le", path)], coded

    def _cutting(self, part: float) -> None:
        self.job.progress(_CUTTING * part)

    def _captions(self, how: str) -> tuple[Transcript, Sequence[Window]] | None:
        """The captions, where they are wanted so, and the windows that they are shown in."""
        file = self.plan.used.get(CAPTIONS_STEP)
        if file is None or self.plan.params.captions != how:
            return None
        transcript = Transcript.read(file.path)
        if self.plan.edits is None:
            return transcript, self.plan.windows
        whole = [Window(0.0, self.plan.duration_ms, 0.0)]
        return left_by(self.plan.edits, transcript), whole

    def _track(self) -> tuple[Path | None, str]:
        """A file of captions, and their language; ``None``: there are none."""
        found = self._captions("track")
        if found is None:
            return None, "und"
        transcript, windows = found
        path = self.job.workdir / "captions.srt"
        write_track(path, shown := moved(transcript.cues, windows))
        return path if shown else None, track_language(transcript.language)

    def _burnt_in(self) -> list[str]:
        """The filter that draws captions, if there are any."""
        found = self._captions("burn")
        if found is None:
            return []
        style = STYLES[self.plan.params.caption_style]
        text = burnt_in(*found, style, self.plan.size)
        if not text:
            return []
        drawn = self.job.workdir / "captions.ass"
        drawn.write_text(text, "utf-8")
        return [f"ass=filename={_escaped(str(drawn))}"]


@dataclass(frozen=True)
class _Covered:
    """The covered video, known by more than where it lies: each part fetches it to another place."""

    artifact_id: str
    size_bytes: int
    path: Path = field(compare=False)


@lru_cache(maxsize=4)
def _media_of(covered: _Covered) -> MediaInfo:
    """Kept for the next part: of a long video it takes seconds."""
    return probe(covered.path)


def _to_the_microsecond(time_ms: float) -> Fraction:
    """In seconds."""
    return Fraction(round(time_ms * 1000), 1_000_000)


def _opened(demuxer: str, path: Path) -> list[str]:
    """ffmpeg's words for a file that was written here."""
    return ["-protocol_whitelist", "file", "-f", demuxer, "-i", f"file:{path.absolute()}"]


def _escaped(path: str) -> str:
    """As a value in a filter graph: escaped for the filter's options, and that for the graph (ffmpeg's
    manual, "Notes on filtergraph escaping"; the third level is a shell's)."""
    for signs in ("\\':", "\\'[],;"):
        path = "".join(f"\\{sign}" if sign in signs else sign for sign in path)
    return path

"""``render.video``: cuts, covered faces, captions and a new shape, in one pass to one file.

    plan (a dry run ends here) -> pictures in their windows, cropped -> captions -> H.264 and AAC, checked

The picture comes from the anonymised video unless the original is asked for. Of an edit list only what
lies around a cut is encoded, where the rest can be copied (``copied_groups``). The rendering checks
itself and fails rather than delivers what is not as planned. Promised: with the same ffmpeg the same
plan gives the same bytes, whatever the machine's number of cores.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
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
from functions.render.video.video_plan import (
    CAPTIONS_STEP,
    FACES_STEP,
    VISUAL_STEP,
    Plan,
    VideoRenderParams,
    make_plan,
)
from shared.contracts.asr_transcript import Transcript
from shared.contracts.step_engine import Backend, Engine, Job, Output, Result, SourceRef
from shared.contracts.visual import VisualMeta
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
from shared.media.frames import PictureFormat, first_video, picture_format
from shared.media.probe import probe
from shared.watch.health import dependency, require

REVISION = 8
_CLOCK = Fraction(1, 90_000)
_SLOW = 30.0
_CUTTING = 0.05
"""So much of the progress is the sound's."""
_SCALER = "lanczos+accurate_rnd+full_chroma_int"


def backend() -> Backend:
    """ffmpeg; there is no stub."""
    require("ffmpeg")
    known = {"ffmpeg": dependency("ffmpeg")}
    version = f"video_render-{REVISION}+ffmpeg-{known['ffmpeg'].version}"
    return Backend("ffmpeg", version, dependencies=known)


def run(job: Job, params: VideoRenderParams, backend: Backend) -> Result:
    """Plan and, unless it is a dry run, render. Raises ``MissingDependency`` for what is lacking."""
    plan = make_plan(job, params)
    described = {**plan.described(), "backend_version": backend.version}
    if params.dry_run:
        path = job.workdir / "plan.json"
        path.write_text(json.dumps(described, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        meta = {"plan": described, "dry_run": True}
        return Result([Output("video_render", "plan", path, "application/json", meta)])
    plan.refuse()
    return Result([_Rendering(job, plan).render(described)])


@dataclass(frozen=True)
class _Rendering:
    """One rendering."""

    job: Job
    plan: Plan

    def render(self, described: Mapping[str, Any]) -> Output:
        """Write the file, and check it."""
        job, plan = self.job, self.plan
        source, form = self._source()
        crop = Planes(*plan.crop, source.planes.pixel_format)
        path = job.workdir / "render.mp4"
        count, copied = self._write(source, self._written(path, crop, form))
        checked = check_rendering(path, plan, count, sound=bool(job.media.audio))
        meta = {"plan": dict(described), "dry_run": False, **checked}
        parents = tuple(file.artifact_id for _, file in sorted(plan.used.items()))
        if plan.edits is None:
            return Output("video_render", "render", path, "video/mp4", meta, parents)
        meta |= told(plan.edits, cutting(plan.edits, RATE_HZ)) | copied
        jumps_ms = [round(at_ms, 3) for at_ms in plan.jumps_ms]
        meta["jump_cuts_ms"] = jumps_ms if len(jumps_ms) <= MOST_JOINS_TOLD else None
        parents = (*parents, str(plan.params.edit_list))
        return Output("video_render", "cut", path, "video/mp4", meta, parents)

    def _write(self, source: Source, written: Written) -> tuple[int, dict[str, Any]]:
        """How many pictures were written, and how much of them was copied."""
        total_ms = max(1.0, self.plan.duration_ms)
        # Where copying comes to nothing, encoding begins anew: what was told stays told.
        reached = [0.0]

        def progress(at_ms: float) -> None:
            reached[0] = max(reached[0], min(0.95, _CUTTING + 0.9 * at_ms / total_ms))
            self.job.progress(reached[0])

        try:
            copying = plan_copying(self.plan, source)
            return write_copying(copying, written, progress), copying.told()
        except NotCopyable as error:
            encoded_s = round(self.plan.duration_ms / 1000, 3)
            told = {"copied_s": 0.0, "encoded_s": encoded_s, "encoded_because": str(error)}
        shapes = (source.planes, written.planes, self._crop_path())
        with PictureWriter(written) as writer:
            shown, larger = self._shown(source), self._larger()
            count = write_pictures(shown, shapes, writer.write, larger=larger, progress=progress)
        return count, told

    def _shown(self, source: Source) -> Iterator[Shown]:
        """The pictures, each at its time."""
        plan, stream = self.plan, first_video(self.job.media)
        if plan.edits is None:
            return shown_pictures(source, plan.windows)
        if stream.frame_rate_kind == "constant":
            return shown_on_borders(source, plan.windows, 2 * self._half_frame_ms)
        shown = shown_pictures(source, plan.windows)
        faster = any(window.speed != 1 for window in plan.windows)
        return thinned(shown, self._half_frame_ms) if faster else shown

    def _larger(self) -> Callable[[float], bool]:
        if not self.plan.params.punch_in:
            return lambda _: False
        return PunchIn(self.plan.jumps_ms, self._half_frame_ms).at

    @property
    def _half_frame_ms(self) -> float:
        return 500 / self.plan.frame_rate

    def _source(self) -> tuple[Source, PictureFormat]:
        """Where pictures come from, and how the rendering is tagged."""
        anonymised = self.plan.used.get(FACES_STEP)
        path = anonymised.path if anonymised else self.job.source
        media = probe(path) if anonymised else self.job.media
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
        shown = first_video(self.job.media).shown_size
        meta: VisualMeta | None = None
        if VISUAL_STEP in self.plan.used:
            meta = VisualMeta.read(self.plan.used[VISUAL_STEP].path)
        return crop_path(shown, self.plan.crop, meta)

    def _written(self, path: Path, crop: Planes, form: PictureFormat) -> Written:
        filters = [] if crop.pixel_format != PLAYABLE else evened(crop.width, crop.height)
        if self.plan.size != (crop.width + crop.width % 2, crop.height + crop.height % 2):
            filters = [f"scale={self.plan.size[0]}:{self.plan.size[1]}:flags={_SCALER}"]
        inputs, streams = self._sound()
        captions = self._captions()
        filters += captions.filters
        number = 2 if inputs else 1
        if captions.track:
            inputs += _opened("srt", captions.track)
            streams += ["-map", f"{number}:s", "-c:s", "mov_text"]
            streams += ["-metadata:s:s:0", f"language={captions.language}"]
        timeout_s = timeout_for(round(self.plan.duration_ms), realtime_factor=_SLOW)
        return Written(
            path,
            crop,
            form,
            inputs,
            streams,
            filters=filters,
            end_s=Fraction(round(self.plan.duration_ms * 1000), 1_000_000),
            timeout_s=timeout_s,
        )

    def _sound(self) -> tuple[list[str], list[str]]:
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

    def _captions(self) -> _Captions:
        file = self.plan.used.get(CAPTIONS_STEP)
        if file is None:
            return _Captions()
        transcript, windows = Transcript.read(file.path), self.plan.windows
        if self.plan.edits is not None:
            transcript = left_by(self.plan.edits, transcript)
            windows = [Window(0.0, self.plan.duration_ms, 0.0)]
        if self.plan.params.captions == "track":
            track = self.job.workdir / "captions.srt"
            write_track(track, shown := moved(transcript.cues, windows))
            told = _three_letters(transcript.language)
            return _Captions(track=track, language=told) if shown else _Captions()
        style = STYLES[self.plan.params.caption_style]
        text = burnt_in(transcript, windows, style, self.plan.size)
        if not text:
            return _Captions()
        drawn = self.job.workdir / "captions.ass"
        drawn.write_text(text, "utf-8")
        return _Captions(filters=(f"ass=filename={_escaped(str(drawn))}",))


@dataclass(frozen=True)
class _Captions:
    """How captions get into the file, if at all."""

    filters: tuple[str, ...] = ()
    track: Path | None = None
    language: str = "und"


def _opened(demuxer: str, path: Path) -> list[str]:
    """ffmpeg's words for a file that was written here."""
    return ["-protocol_whitelist", "file", "-f", demuxer, "-i", f"file:{path.absolute()}"]


def _escaped(path: str) -> str:
    """As a value in a filter graph: escaped for the filter's options, and that for the graph."""
    for signs in ("\\':", "\\'[],;"):
        path = "".join(f"\\{sign}" if sign in signs else sign for sign in path)
    return path


_LANGUAGES = {"en": "eng", "de": "deu", "fr": "fra", "es": "spa", "it": "ita", "nl": "nld"}


def _three_letters(language: str) -> str:
    """As MP4 wants it."""
    return language if len(language) == 3 else _LANGUAGES.get(language, "und")


def sources(params: VideoRenderParams) -> Sequence[SourceRef]:
    """The edit list."""
    return (
        [SourceRef(artifact_id=params.edit_list, of_recording="edit_list")]
        if params.edit_list
        else []
    )


ENGINE = Engine(params=VideoRenderParams, backend=backend, run=run, sources=sources)

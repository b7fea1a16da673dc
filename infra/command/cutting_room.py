"""``rushes cut``: find what can go in a recording, and leave the cut and its lists in NAME.cut/."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape

from infra.command.delivered import check_writable
from infra.command.desk import Desk, at_desk, parse_params
from infra.command.export import kept_lines
from infra.command.process import show_outcome, watch_until_finished
from infra.command.results_on_disk import leave, leave_in
from infra.command.wishes import checked_params, listed
from infra.local.worker import WorkerPool
from shared.contracts.artifact import Artifact
from shared.contracts.asr_transcript import Transcript
from shared.contracts.edit_list import EditList
from shared.contracts.ids import asset_id, sha256_of
from shared.contracts.step import StepRequest
from shared.editing.edit_lists import list_meta
from shared.errors import NotFound, ValidationError
from shared.interchange.cut_exports import CutMedia
from shared.pipeline import step_named
from shared.runs.intake import Wishes
from shared.runs.opening import requested_run_id
from shared.runs.records import upload_run_id
from shared.runs.results_folder import Contents, Entry, stem_of
from shared.runs.uploading import upload
from shared.runs.views import run_object
from shared.steps.preparing import load_asset, publish_request
from shared.steps.storing import load_artifact

if TYPE_CHECKING:
    from shared.contracts.timeline_parts import Marker

_STEP = "edit.cut"
_CAPTIONS = ("srt", "vtt")
_FOR_EVER_MS = 1e12
_SPEAKER_ID = re.compile(r"(speaker|channel)_\d+")
# As shows write them: `0:45 Guest`, `00:45 - Guest`, `(00:45) Guest`, `- 00:45,500 Guest`.
_CHAPTER = re.compile(
    r"(?:[-*•]\s+)?[(\[]?(?:(\d+):)?(\d{1,2}):(\d{2}(?:[.,]\d+)?)[)\]]?(?:\s+[-–—|:]+)?\s+(\S.*)"
)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--silences", type=float, metavar="S", help="Silences of at least so many seconds.")
@click.option("--shorten-to", type=float, metavar="S", help="Shorten them to that, cut them not.")
@click.option("--speed-up", type=float, metavar="X", help="Play them so much faster instead.")
@click.option("--fillers", is_flag=True, help='"Um", "uh", and voice without a word.')
@click.option("--repeats", is_flag=True, help="What is said twice, or begun anew.")
@click.option("--breaths", is_flag=True, help="Breaths between words.")
@click.option("--words", multiple=True, metavar="TEXT", help="A word or phrase, wherever it is.")
@click.option(
    "--keep-speaker", multiple=True, metavar="NAME", help="Only what speaker_1, or Ann, says."
)
@click.option("--bleep", multiple=True, metavar="TEXT", help="A name or phrase not to be heard.")
@click.option("--param", "pairs", multiple=True, metavar="NAME=VALUE", help="Of edit.cut.")
@click.option(
    "--chapters", type=click.Path(path_type=Path), help="Lines of TIME TITLE, to be moved."
)
@click.option("--keep-chapter", multiple=True, metavar="TITLE", help="Only these of --chapters.")
@click.option("--lists-only", is_flag=True, help="Render nothing.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="[NAME.cut/ beside it]"
)
@at_desk
def cut(desk: Desk, file: Path, out: Path | None, **asked: Any) -> None:
    """Cut FILE by rules, and leave the cut, its captions and lists for other programs."""
    lists_only, chapters = asked.pop("lists_only"), asked.pop("chapters")
    marked = _read_chapters(chapters) if chapters else []
    params = checked_params(desk.home, (), {_STEP: _params(asked, marked)})[_STEP]
    if not file.is_file():
        raise NotFound("file", str(file))
    if "keep_speakers" in params:
        params["keep_speakers"] = speaker_ids(desk, file, params["keep_speakers"])
    check_writable(out or file.parent)
    with WorkerPool(desk.settings, at_first=1) as pool:
        wishes = Wishes(steps=(_STEP, "transcribe.captions"), params={_STEP: params})
        run_id = upload_run_id(upload(desk.home, desk.ctx, str(file), wishes))
        watch_until_finished(desk, pool, [run_id])
        found = _artifacts(run_object(desk.home, desk.ctx, run_id))
        if EditList.kind not in found:
            show_outcome(desk, {str(file): run_id})
            raise SystemExit(1)
        listed = load_artifact(desk.home.documents, desk.ctx, found[EditList.kind])
        edits = EditList.read_from(desk.home.objects.read(listed.key))
        rendered = None
        if not lists_only and edits.keeps:
            rendered = _rendered(desk, pool, listed)
    asset = load_asset(desk.home, desk.ctx, listed.asset_id)
    source = CutMedia(file.name, file.absolute().as_uri(), asset.media)
    texts = _lists(desk, edits, source, found.get(Transcript.kind), marked)
    texts |= _findings(desk, edits, asset.asset_id, stem_of(file.name))
    entries = () if rendered is None else (_entry(rendered, stem_of(file.name)),)
    contents = Contents(stem_of(file.name), asset, entries, texts)
    if out is not None:
        left = leave_in(desk.home, contents, out)
    else:
        left = leave(desk.home, contents, file.parent, ending=".cut")
    names = [name for name in (*(one.path for one in entries), *texts) if name not in left.kept]
    content = {
        "source": file.name,
        "asset_id": listed.asset_id,
        "edit_list": listed.artifact_id,
        **list_meta(edits),
        "notices": list(edits.notices),
        "written": [str(left.folder / name) for name in names],
        "kept": list(left.kept),
    }
    desk.show(content, lambda: "\n".join([*_lines(content), *kept_lines(left)]))


def _params(asked: Mapping[str, Any], chapters: Sequence[Marker]) -> dict[str, Any]:
    """The step's params; raises a usage error where nothing is asked for."""
    params: dict[str, Any] = parse_params(asked["pairs"], default_step=_STEP).get(_STEP, {})
    if asked["silences"] is not None:
        params["silence_ms"] = 1000 * asked["silences"]
    ways = [name for name in ("shorten_to", "speed_up") if asked[name] is not None]
    if len(ways) > 1:
        raise click.UsageError("--shorten-to or --speed-up: a silence is treated in one way")
    if ways and "silence_ms" not in params:
        raise click.UsageError("say from which length on silences count: --silences 0.6")
    if asked["shorten_to"] is not None:
        params |= {"silence_action": "shorten", "silence_to_ms": 1000 * asked["shorten_to"]}
    if asked["speed_up"] is not None:
        params |= {"silence_action": "speed_up", "silence_speed": asked["speed_up"]}
    params |= {name: True for name in ("fillers", "repeats", "breaths") if asked[name]}
    lists = {"words": "drop_words", "keep_speaker": "keep_speakers", "bleep": "privacy_words"}
    for (
        name,
        param,
    ) in lists.items():  # beside those of --param: of words to be bleeped none is dropped
        if asked[name]:
            params[param] = [*(listed(params.get(param)) or ()), *asked[name]]
    if asked["keep_chapter"]:
        params["keep_ranges"] = list(_ranges(chapters, asked["keep_chapter"]))
    if "keep_speakers" in params:
        params.setdefault("speakers", "auto")
    if not params:
        raise click.UsageError("say what to cut: --silences 0.6, --fillers, --words TEXT, ...")
    return params


def speaker_ids(desk: Desk, file: Path, wanted: Sequence[str]) -> list[str]:
    """Ids of speakers that are told by their ids, or as transcripts of this recording call them.

    Raises ``ValidationError`` for a name that none does.
    """
    if all(_SPEAKER_ID.fullmatch(name) for name in wanted):
        return list(wanted)
    where = {"asset_id": asset_id(desk.ctx.tenant_id, desk.ctx.env, sha256_of(file))}
    where["kind"] = Transcript.kind
    found = desk.home.documents.list(f"{desk.ctx.document_prefix}artifacts", where=where)
    ids: dict[str, str] = {}
    for document in sorted(found, key=lambda one: (one.updated_at, one.id)):
        transcript = desk.home.objects.read(Artifact.model_validate(document.data).key)
        called = Transcript.read_from(transcript).speaker_names
        ids |= {name.casefold(): identifier for identifier, name in called.items()}
    for name in wanted:
        if not _SPEAKER_ID.fullmatch(name) and name.casefold() not in ids:
            known = ", ".join(sorted(ids)) or "nobody is named in a transcript of this recording"
            raise ValidationError("keep-speaker", f"{name!r} is not known; known: {known}")
    return [ids.get(name.casefold(), name) for name in wanted]


def _ranges(chapters: Sequence[Marker], titles: Sequence[str]) -> Iterator[tuple[float, float]]:
    """From each named chapter to the next one; raises ``ValidationError`` for one that is not there."""
    known = [marker.name for marker in chapters]
    for title in titles:
        if title not in known:
            raise ValidationError(
                "keep-chapter", f"{title!r} is none of {', '.join(known) or 'none'}"
            )
        at = known.index(title)
        until_ms = chapters[at + 1].time_ms if at + 1 < len(chapters) else _FOR_EVER_MS
        yield chapters[at].time_ms, until_ms


def _artifacts(run: Mapping[str, Any]) -> dict[str, str]:
    """Kind -> the id of the run's artifact of it."""
    return {
        artifact["kind"]: artifact["artifact_id"]
        for step in run["steps"]
        for artifact in step["artifacts"] or ()
    }


def _rendered(desk: Desk, pool: WorkerPool, listed: Artifact) -> Artifact:
    """The cut itself; where it fails, how, and exit code 1."""
    media = load_asset(desk.home, desk.ctx, listed.asset_id).media
    step = "render.video" if media.has_video else "render.audio"
    params: dict[str, Any] = {"edit_list": listed.artifact_id}
    if media.has_video:
        params["faces"] = "original"
    request = StepRequest(
        tenant_id=desk.ctx.tenant_id,
        env=desk.ctx.env,
        user_id=desk.ctx.user_id,
        step=step,
        asset_id=listed.asset_id,
        params=params,
    )
    run_id = requested_run_id(publish_request(desk.home, request))
    watch_until_finished(desk, pool, [run_id])
    found = _artifacts(run_object(desk.home, desk.ctx, run_id))
    kind = step_named(step).produces[0].name
    if kind not in found:
        show_outcome(desk, {run_id: run_id})
        raise SystemExit(1)
    return load_artifact(desk.home.documents, desk.ctx, found[kind])


def _entry(rendered: Artifact, stem: str) -> Entry:
    name = f"{stem} cut{Path(rendered.key).suffix}"
    return Entry(name, rendered.key, rendered.sha256, rendered)


def _lists(
    desk: Desk, edits: EditList, media: CutMedia, transcript: str | None, chapters: list[Marker]
) -> dict[str, bytes]:
    """File name -> content."""
    from shared.editing.retimed import moved_chapters, moved_transcript
    from shared.editing.time_map import time_map
    from shared.interchange import cut_exports as exports
    from shared.interchange.fcp7 import cut_to_fcp7

    stem = stem_of(media.name)
    moved = moved_chapters(time_map(edits), chapters, edits.duration_ms)
    texts: dict[str, bytes] = {
        f"{stem} edits.json": edits.written(),
        f"{stem} labels.txt": exports.edit_labels(edits).encode(),
    }
    if edits.keeps:
        texts |= {
            f"{stem} cut.otio": exports.cut_to_otio(edits, media).encode(),
            f"{stem} cut.fcpxml": exports.cut_to_fcpxml(edits, media, moved).encode(),
            f"{stem} cut.fcp7.xml": cut_to_fcp7(edits, media).encode(),
            f"{stem} cut.edl": exports.cut_to_edl(edits, media, moved).encode(),
        }
    if moved:
        texts[f"{stem} chapters.txt"] = exports.chapter_lines(moved).encode()
    if transcript is not None:
        artifact = load_artifact(desk.home.documents, desk.ctx, transcript)
        said = moved_transcript(edits, Transcript.read_from(desk.home.objects.read(artifact.key)))
        texts |= _captions(said, stem)
    return texts


def _findings(desk: Desk, edits: EditList, asset_id: str, stem: str) -> dict[str, bytes]:
    """What earlier runs found in the recording, moved along: file name -> content."""
    from shared.contracts.detections import PhraseDetections
    from shared.contracts.semantic_timeline import SemanticTimeline
    from shared.editing.retimed_findings import moved_phrases, moved_semantics
    from shared.runs.standing import standing_results

    texts = {}
    for standing in standing_results(desk.home, desk.ctx, asset_id):
        for artifact in standing.artifacts:
            if artifact.kind == SemanticTimeline.kind:
                whole = SemanticTimeline.read_from(desk.home.objects.read(artifact.key))
                texts[f"{stem} cut semantics.json"] = moved_semantics(edits, whole).written()
            elif artifact.kind == PhraseDetections.kind:
                phrases = PhraseDetections.read_from(desk.home.objects.read(artifact.key))
                texts[f"{stem} cut phrases.json"] = moved_phrases(edits, phrases).written()
    return texts


def _captions(said: Transcript, stem: str) -> dict[str, bytes]:
    from shared.captions.subtitles import FORMATS, shown

    cues = shown(said.cues, names=said.names, speaker_names=said.speaker_names)
    return {f"{stem} cut.{name}": FORMATS[name].write(cues, said.language) for name in _CAPTIONS}


def _read_chapters(path: Path) -> list[Marker]:
    from shared.contracts.timeline_parts import Marker

    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValidationError("chapters", f"{path} is no text in UTF-8") from None
    found = []
    for line in lines:
        if not line.strip():
            continue
        told = _CHAPTER.fullmatch(line.strip())
        if told is None:
            raise ValidationError("chapters", f"{line.strip()!r} is no TIME TITLE, as 01:30 Title")
        hours, minutes, seconds, title = told.groups()
        time_ms = (
            3_600_000 * int(hours or 0)
            + 60_000 * int(minutes)
            + 1000 * float(seconds.replace(",", "."))
        )
        found.append(Marker(time_ms=time_ms, name=title))
    return sorted(found, key=lambda marker: marker.time_ms)


def _lines(content: Mapping[str, Any]) -> list[str]:
    """What was cut by which rule, as lines for people."""
    before, after = content["duration_ms"] / 1000, content["new_duration_ms"] / 1000
    share = 100 * (1 - after / before) if before else 0.0
    lines = [
        f"[bold]{escape(content['source'])}[/bold]  {before:.1f} s -> {after:.1f} s (-{share:.0f} %)"
    ]
    for reason, count in content["edits"].items():
        gone = content["removed_ms"].get(reason, 0.0) / 1000
        lines.append(f"  {reason.replace('_', ' '):<12}{count:>5}   {gone:8.1f} s")
    if not content["edits"]:
        lines.append("  nothing was found that these rules take out")
    if content["proposals"]:
        lines.append(f"  {'proposals':<12}{content['proposals']:>5}   in doubt: not cut")
    lines += [f"  [yellow]notice[/yellow]  {escape(notice)}" for notice in content["notices"]]
    return [*lines, *(f"  {escape(path)}" for path in content["written"])]

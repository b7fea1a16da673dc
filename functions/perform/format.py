"""The pattern file: JSON, version 1, by docs/pattern.schema.json and docs/musician.md.

Reading checks everything a musician can mistype, and says where: the lane, the row (from 1), the
token; or the instrument and its setting. The models below bound each number; what one row says is
read by ``shared.audio.lanes``. Decimal numbers are taken as they print (0.1 is a tenth), so rows
and beats are exact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic import ValidationError as PydanticError

from shared.audio.families import InstrumentFamily
from shared.audio.lanes import OFF, LevelToken, NoteToken, Place, read_level, read_note, rows
from shared.audio.modules.filters import FilterMode
from shared.audio.modules.modulation import LfoShape
from shared.audio.score import (
    ControlPoint,
    EffectsSetup,
    InstrumentSetup,
    LfoSetup,
    Note,
    Score,
)
from shared.audio.tempo import TempoChange, TempoMap, TimeSignature
from shared.contracts.ids import NAME_PATTERN
from shared.contracts.model import NOT_ITS_FIELDS, Model
from shared.errors import ValidationError

MAX_INSTRUMENTS, MAX_LANES, MAX_ROWS = 32, 64, 4_096

Label = Annotated[str, StringConstraints(pattern=r"^[\w][\w .+#'()/-]{0,39}$")]
"""What musicians call an instrument or a lane."""
ClipId = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
SoundName = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z][a-z0-9_]{0,31}|artifact:[A-Za-z0-9][A-Za-z0-9_-]{0,63})$"),
]
"""A sound of the bank, or ``artifact:ID`` for a recording of the tenant's own."""
Velocity = Annotated[int, Field(ge=0, le=127)]
SendLevel = Annotated[float, Field(ge=-96, le=24)]
"""In dB."""
Token = Annotated[str, StringConstraints(max_length=64)]
Rows = (
    Annotated[str, StringConstraints(max_length=131_072)]
    | Annotated[list[Token], Field(max_length=MAX_ROWS)]
)
"""A lane in one line, tokens with spaces between, or a token a row."""


class _Part(Model):
    """A part of the file. Unknown names are errors: mostly they are mistyped."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TempoChangePart(_Part):
    """Another tempo from a beat on."""

    beat: float = Field(gt=0)
    bpm: float = Field(ge=5, le=1_000)


class LayerPart(_Part):
    """One of the tenant's own recordings, and the velocities that play it."""

    artifact: ClipId
    min_velocity: Velocity = 0
    max_velocity: Velocity = 127
    gain_db: float = Field(0.0, ge=-96, le=24)


class FilterPart(_Part):
    """The multi-mode filter (12 dB an octave)."""

    mode: FilterMode = "lowpass"
    cutoff_hz: float = Field(20_000.0, ge=20, le=20_000)
    resonance: float = Field(0.0, ge=0, le=1)


class LfoPart(_Part):
    """A slow wave on a control; ``depth`` in octaves, or in the control's own unit."""

    control: str
    rate_hz: float = Field(2.0, ge=0.01, le=50)
    depth: float
    unit: Literal["value", "octaves"] = "value"
    shape: LfoShape = "sine"


class SendsPart(_Part):
    """How much of the instrument also goes to the shared effects, in dB; absent: nothing."""

    delay: SendLevel | None = None
    reverb: SendLevel | None = None


class InstrumentPart(_Part):
    """What plays: a sound of the bank by name, one own recording (``artifact:ID``), or layers."""

    name: Label
    sound: SoundName | Annotated[list[LayerPart], Field(min_length=1, max_length=16)]
    root_note: str = "C4"
    """The pitch of own recordings."""
    family: InstrumentFamily | None = None
    gain_db: float = Field(0.0, ge=-96, le=24)
    pan: float = Field(0.0, ge=-1, le=1)
    velocity_crossfade_width: float | None = Field(None, ge=0, le=127)
    filter: FilterPart | None = None
    controls: dict[str, float] = Field(default_factory=dict, max_length=32)
    """Any other control of the instrument's modules, in its own unit: ``attack_ms``, ``sustain``..."""
    lfos: list[LfoPart] = Field(default_factory=list, max_length=4)
    sends: SendsPart = SendsPart()


class LanePart(_Part):
    """One lane: ``notes``, or a ``control`` and its ``values``."""

    name: Label
    instrument: Label
    notes: Rows | None = None
    control: str | None = None
    values: Rows | None = None
    rows_per_beat: int | None = Field(None, ge=1, le=96)


class EffectsPart(_Part):
    """The shared delay and reverb."""

    delay_beats: float = Field(0.75, gt=0, le=16)
    delay_feedback: float = Field(0.35, ge=0, le=0.95)
    reverb_decay_s: float = Field(1.8, ge=0.1, le=20)
    reverb_damping: float = Field(0.25, ge=0, le=0.9)


class Pattern(_Part):
    """A tracker pattern, version 1."""

    format: Literal["rushes.pattern"]
    version: Literal[1]
    name: str = Field("pattern", min_length=1, max_length=80)
    tempo_bpm: float = Field(120.0, ge=5, le=1_000)
    tempo_changes: list[TempoChangePart] = Field(default_factory=list, max_length=1_000)
    time_signature: Annotated[str, StringConstraints(pattern=r"^\d{1,2}/(1|2|4|8|16|32)$")] = "4/4"
    rows_per_beat: int = Field(4, ge=1, le=96)
    length_beats: float | None = Field(None, ge=0.01, le=100_000)
    """Without it: until the longest lane ends."""
    tail_beats: float = Field(4.0, ge=0, le=64)
    """How long the last notes may ring on."""
    instruments: list[InstrumentPart] = Field(min_length=1, max_length=MAX_INSTRUMENTS)
    lanes: list[LanePart] = Field(min_length=1, max_length=MAX_LANES)
    effects: EffectsPart = EffectsPart()


def read_pattern(text: str) -> Pattern:
    """The pattern in a JSON text; raises ``ValidationError`` saying where it is wrong.

    Of several mistakes the one that lies deepest in the file is told. Tokens are read by
    ``to_score``.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValidationError("pattern", f"is not readable JSON: {error}") from None
    if not isinstance(data, dict) or data.get("format") != "rushes.pattern":
        raise ValidationError("pattern", 'must say "format": "rushes.pattern", "version": 1')
    try:
        pattern = Pattern.model_validate(data)
    except PydanticError as error:
        # Of a choice's alternatives, the one that was meant fails deepest.
        first = max(error.errors(), key=lambda one: len(one["loc"]))
        raise ValidationError(_place(first["loc"], data), _reason(first)) from None
    _check_names(pattern)
    return pattern


def to_score(pattern: Pattern) -> Score:
    """The pattern as a piece in beats; raises ``ValidationError`` naming lane, row and token.

    Each row is ``1 / rows_per_beat`` of a beat. Rows behind ``length_beats`` are checked, not
    played.
    """
    tempo_map = TempoMap(
        pattern.tempo_bpm,
        [TempoChange(change.beat, change.bpm) for change in pattern.tempo_changes],
        [TimeSignature(0, *(int(part) for part in pattern.time_signature.split("/")))],
    )
    length = _length_beats(pattern)
    note_lanes = [lane for lane in pattern.lanes if lane.notes is not None]
    control_lanes = [lane for lane in pattern.lanes if lane.values is not None]
    return Score(
        pattern.name,
        tempo_map,
        length,
        tuple(_setup(instrument) for instrument in pattern.instruments),
        tuple(note for lane in note_lanes for note in _notes(lane, pattern, length)),
        tuple(point for lane in control_lanes for point in _points(lane, pattern, length)),
        EffectsSetup(
            Fraction(str(pattern.effects.delay_beats)),
            pattern.effects.delay_feedback,
            pattern.effects.reverb_decay_s,
            pattern.effects.reverb_damping,
        ),
        Fraction(str(pattern.tail_beats)),
    )


def _setup(part: InstrumentPart) -> InstrumentSetup:
    controls = dict(part.controls)
    if part.filter:
        controls |= {"cutoff_hz": part.filter.cutoff_hz, "resonance": part.filter.resonance}
    sends: dict[Literal["delay", "reverb"], float] = {}
    if part.sends.delay is not None:
        sends["delay"] = part.sends.delay
    if part.sends.reverb is not None:
        sends["reverb"] = part.sends.reverb
    return InstrumentSetup(
        part.name,
        part.sound if isinstance(part.sound, str) else part.name,
        part.family,
        part.gain_db,
        part.pan,
        part.filter.mode if part.filter else None,
        part.velocity_crossfade_width,
        controls,
        sends,
        tuple(
            LfoSetup(lfo.control, lfo.rate_hz, lfo.depth, lfo.unit, lfo.shape) for lfo in part.lfos
        ),
    )


def _rows_per_beat(lane: LanePart, pattern: Pattern) -> int:
    return lane.rows_per_beat or pattern.rows_per_beat


def _length_beats(pattern: Pattern) -> Fraction:
    """As the pattern says, or until its longest lane ends.

    Raises ``ValidationError`` where no lane has a row.
    """
    if pattern.length_beats is not None:
        return Fraction(str(pattern.length_beats))
    longest = Fraction(0)
    for lane in pattern.lanes:
        tokens = rows(lane.notes if lane.notes is not None else lane.values or [])
        longest = max(longest, Fraction(len(tokens), _rows_per_beat(lane, pattern)))
    if not longest:
        raise ValidationError("lanes", "hold no rows")
    return longest


def _notes(lane: LanePart, pattern: Pattern, length: Fraction) -> list[Note]:
    """A lane's notes. One that has no length of its own lasts until the next, or ``off``."""
    step = Fraction(1, _rows_per_beat(lane, pattern))
    open_note: tuple[Fraction, NoteToken] | None = None
    notes: list[Note] = []
    for index, token in enumerate(rows(lane.notes or [])):
        beat = index * step
        is_off = token in OFF
        note = None if is_off else read_note(token, Place(lane.name, index + 1))
        if beat >= length or not (is_off or note):
            continue
        if open_note:
            notes.append(_note(lane, *open_note, beat))
        open_note = (beat, note) if note else None
    if open_note:
        notes.append(_note(lane, *open_note, length))
    return notes


def _note(lane: LanePart, beat: Fraction, token: NoteToken, until: Fraction) -> Note:
    length = until - beat
    if token.length_beats is not None:
        length = min(length, token.length_beats)
    return Note(lane.name, lane.instrument, beat, length, token.pitch, token.velocity)


def _points(lane: LanePart, pattern: Pattern, length: Fraction) -> list[ControlPoint]:
    """A lane's values, 0 to 1 of the control's range; a rest leaves the control where it is.

    Raises ``ValidationError`` for a fade in the first row, which has no value to begin at.
    """
    assert lane.control is not None
    step = Fraction(1, _rows_per_beat(lane, pattern))
    points = []
    for index, token in enumerate(rows(lane.values or [])):
        place = Place(lane.name, index + 1)
        level = read_level(token, place)
        if level is None or index * step >= length:
            continue
        if index == 0 and level.curve and not level.smooth:
            raise place.error(token, "has nothing to fade from; put a level in an earlier row")
        points.append(_point(lane, level, index, step))
    return points


def _point(lane: LanePart, level: LevelToken, index: int, step: Fraction) -> ControlPoint:
    assert lane.control is not None
    return ControlPoint(
        lane.name,
        index + 1,
        lane.instrument,
        lane.control,
        index * step,
        level.position,
        level.smooth,
        level.curve,
    )


def _check_names(pattern: Pattern) -> None:
    """Names are unique, lanes play instruments that are there, and are of one kind."""
    names = [instrument.name for instrument in pattern.instruments]
    _check_unique("instrument", names)
    _check_unique("lane", [lane.name for lane in pattern.lanes])
    for lane in pattern.lanes:
        where = f"lane '{lane.name}'"
        if lane.instrument not in names:
            raise ValidationError(
                where, f"plays {lane.instrument!r}, which is none of: {', '.join(names)}"
            )
        is_notes = lane.notes is not None and lane.control is None and lane.values is None
        is_control = lane.notes is None and lane.control is not None and lane.values is not None
        if not (is_notes or is_control):
            raise ValidationError(where, "needs either notes, or a control and its values")
        if len(rows(lane.notes if lane.notes is not None else lane.values or [])) > MAX_ROWS:
            raise ValidationError(
                where,
                f"has more than {MAX_ROWS:,} rows: write one round, and play more beats",
            )


def _check_unique(what: str, names: Sequence[str]) -> None:
    """Raise ``ValidationError`` for a name that stands twice or is the desk's own."""
    for name in names:
        if names.count(name) > 1 or name in ("master", "delay", "reverb"):
            raise ValidationError(f"{what} '{name}'", "stands twice, or is a name of the desk")


def _place(location: Sequence[int | str], data: Mapping[str, Any]) -> str:
    """``lane 'hats', row 3`` or ``instrument 'pad', filter.cutoff_hz`` for a path in the file."""
    if len(location) < 2 or location[0] not in ("lanes", "instruments"):
        return ".".join(str(part) for part in location) or "pattern"
    group, index, *rest = location
    what = "lane" if group == "lanes" else "instrument"
    entry = data[str(group)][index] if isinstance(index, int) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    place = f"{what} '{name}'" if isinstance(name, str) else f"{what} {int(index) + 1}"
    inside = [part for part in rest if not str(part).startswith(("constrained", "list[", "str"))]
    if len(inside) == 2 and isinstance(inside[1], int):
        return f"{place}, row {inside[1] + 1}"
    return ", ".join([place, ".".join(str(part) for part in inside)]) if inside else place


def _reason(error: Any) -> str:
    """Pydantic's words, without its jargon."""
    if error["type"] in NOT_ITS_FIELDS:
        return NOT_ITS_FIELDS[error["type"]]
    given = error.get("input")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float) else ""
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}{shown[:80]}"


def schema_text() -> str:
    """The JSON Schema of pattern files, as docs/pattern.schema.json holds it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Pattern.model_json_schema(),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"

"""Arrangement and structure meet the timeline: sections become markers, roles and levels go to tracks.

    structure      when each section is, in ms or in bars of one tempo
    arrangement    which track plays which role; how loud a role is in a section

Levels become one more lane of gain on each track of the role (``section_gain_db``), beside the fader's own,
so a mix's automation stays what it was. Nothing is rendered here: the result is a timeline, checked as
any other.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.timeline import Arrangement, BarStructure, SectionLevel, Structure, Timeline
from shared.contracts.timeline_parts import Keyframe, Lane, Marker, Section, Track
from shared.errors import ValidationError


def structure_of_bars(written: BarStructure) -> Structure:
    """The sections with their times: each begins where the one before it ends, the first at 0.

    A bar lasts 60,000 ms times its beats by the beats a minute; bars are counted before they become time, so
    nothing adds up. Names are the kind and the place, from 1: ``verse 2``.
    """
    bar_ms = 60_000.0 * written.beats_per_bar / written.tempo_bpm
    sections, done = [], 0
    for number, (kind, count) in enumerate(written.bars, 1):
        start_ms, end_ms = done * bar_ms, (done + count) * bar_ms
        sections.append(
            Section(name=f"{kind} {number}", kind=kind, start_ms=start_ms, end_ms=end_ms)
        )
        done += count
    return Structure(sections=tuple(sections))


def with_structure(timeline: Timeline, structure: Structure) -> Timeline:
    """The timeline with a marker where each section begins; its own markers stay, and one of the same time
    and name is not made again."""
    own = {(marker.time_ms, marker.name) for marker in timeline.markers}
    made = [
        Marker(time_ms=one.start_ms, name=one.name, kind=one.kind)
        for one in structure.sections
        if (one.start_ms, one.name) not in own
    ]
    return _changed(timeline, markers=(*timeline.markers, *made))


def with_arrangement(
    timeline: Timeline, structure: Structure, arrangement: Arrangement
) -> Timeline:
    """The timeline with the arrangement's roles, and its levels as each track's section gains.

    Levels go by the roles that tracks have then. A track whose role has none keeps the lane it had.
    Raises ``ValidationError`` for a track, section or role that there is not.
    """
    known = {str(track.track_id) for track in timeline.tracks}
    for name in arrangement.roles:
        if name not in known:
            raise ValidationError(
                f"roles.{name}", f"there is no such track; tracks: {', '.join(sorted(known))}"
            )
    tracks = [
        track.model_copy(update={"role": arrangement.roles.get(str(track.track_id), track.role)})
        for track in timeline.tracks
    ]
    _check_levels(arrangement.levels, structure, {track.role for track in tracks})
    levelled = tuple(
        track.model_copy(update={"section_gain_db": _lane(track, structure, arrangement.levels)})
        for track in tracks
    )
    return with_structure(_changed(timeline, tracks=levelled), structure)


def _changed(timeline: Timeline, **parts: object) -> Timeline:
    """A copy, checked as a whole."""
    return Timeline.model_validate({**dict(timeline), **parts})


def _check_levels(levels: Sequence[SectionLevel], structure: Structure, roles: set[str]) -> None:
    """Raise ``ValidationError`` naming the first level whose section or role there is not."""
    names = {name for one in structure.sections for name in (one.name, one.kind)}
    for number, level in enumerate(levels):
        if level.section not in names:
            raise ValidationError(
                f"levels.{number}.section",
                f"there is no {level.section!r}; sections: {', '.join(sorted(names))}",
            )
        if level.role not in roles:
            raise ValidationError(
                f"levels.{number}.role",
                f"no track plays {level.role!r}; roles: {', '.join(sorted(roles))}",
            )


def _lane(track: Track, structure: Structure, levels: Sequence[SectionLevel]) -> Lane:
    """From section to section: at its start where the one before left it, then, ramped, its own.

    A ramp that is longer than its section ends with it, one of less than 0.1 ms takes that. Between sections
    and behind the last the level is 0 dB, and the way there is ramped, too. Of several levels that name a
    section, by name or kind, the last counts. Times are ms of the timeline, values dB.
    """
    mine = [level for level in levels if level.role == track.role]
    if not mine:
        return track.section_gain_db
    lane: dict[float, float] = {}
    stood_db = 0.0
    for start_ms, end_ms, section in _stretches(structure):
        wanted = [one for one in mine if section and one.section in (section.name, section.kind)]
        target_db = wanted[-1].gain_db if wanted else 0.0
        ramp_ms = wanted[-1].ramp_ms if wanted else SectionLevel.model_fields["ramp_ms"].default
        if target_db != stood_db:
            lane[start_ms] = stood_db
            lane[min(start_ms + max(ramp_ms, 0.1), end_ms)] = target_db
        stood_db = target_db
    return tuple(Keyframe(time_ms=at, value=value) for at, value in sorted(lane.items()))


def _stretches(structure: Structure) -> list[tuple[float, float, Section | None]]:
    """The sections in their order, and the gaps between and behind them (``None``): start and end in ms.

    The last gap is a second long, enough for a ramp.
    """
    found: list[tuple[float, float, Section | None]] = []
    at_ms = 0.0
    for section in structure.sections:
        if section.start_ms > at_ms:
            found.append((at_ms, section.start_ms, None))
        found.append((section.start_ms, section.end_ms, section))
        at_ms = section.end_ms
    return [*found, (at_ms, at_ms + 1_000.0, None)]

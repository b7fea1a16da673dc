"""From a piece in beats to the engine: chains, notes, automation, faders, sends, and the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from shared.audio.beat_loudness import BeatLoudness, BeatMeter
from shared.audio.chain import LaneChain, Turn, build_chain
from shared.audio.config import EngineConfig
from shared.audio.curves import Curve
from shared.audio.engine import OfflineAudioEngine
from shared.audio.modules import AudioModule, ClipSampler, Delay, MixBus, Reverb
from shared.audio.score import ControlPoint, InstrumentSetup, Note, Score
from shared.audio.sounds import Sound
from shared.audio.tempo import TempoMap
from shared.errors import ValidationError

MASTER = "master"


@dataclass(frozen=True, slots=True)
class AppliedAutomation:
    """One automation value as it was applied: what was asked, and what window that came to."""

    lane: str
    row: int
    instrument: str
    control: str
    beats: float
    value: float
    """In the control's own unit."""
    text: str
    """The value with its unit."""
    from_value: float
    curve: Curve | None
    """``None``: a step."""
    start_beats: float
    asked_ms: float
    applied_ms: float
    """Shorter than asked where the lane's next value came first."""


@dataclass(frozen=True, slots=True)
class Performance:
    """A piece as it sounds. Audio is float32 ``(samples, channels)``."""

    master: NDArray[np.float32]
    stems: Mapping[str, NDArray[np.float32]]
    """By instrument, and ``delay`` and ``reverb`` where used; they add up to the master."""
    loudness: Sequence[BeatLoudness]
    integrated_lufs: float
    automation_log: Sequence[AppliedAutomation]
    automation_events: int
    """How many changes of controls were scheduled, those of notes included."""


@dataclass(slots=True)
class _Strip:
    """An instrument at the desk: its lanes and its fader."""

    setup: InstrumentSetup
    chains: dict[str, LaneChain]
    fader: MixBus

    def owners(self, control: str) -> list[AudioModule]:
        """The modules that have this control: the fader's, or else one of each lane's chain."""
        if control in self.fader.controls:
            return [self.fader]
        found = []
        for chain in self.chains.values():
            found += [module for module in chain.modules if control in module.controls][:1]
        return found

    @property
    def controls(self) -> list[str]:
        chain_controls = (
            name for chain in self.chains.values() for one in chain.modules for name in one.controls
        )
        return list(dict.fromkeys([*self.fader.controls, *chain_controls]))


class PatternPerformanceBridge:
    """Wires a score into an engine, schedules it in beats, renders it, and measures it by the beat.

    Each lane has its own sampler (or wave), envelope and filter; the lanes of an instrument meet at
    its fader, the faders and the shared delay and reverb at the master.
    """

    def __init__(self, config: EngineConfig, score: Score, sounds: Mapping[str, Sound]) -> None:
        """``sounds`` maps instrument names; raises ``ValidationError`` in a musician's words."""
        self.config = config
        self.score = score
        self.engine = OfflineAudioEngine(config, score.tempo_map)
        self.automation_log: list[AppliedAutomation] = []
        self._strips = {
            setup.name: self._strip(setup, sounds[setup.name]) for setup in score.instruments
        }
        returns = self._effects()
        desk = [*(strip.fader for strip in self._strips.values()), *returns]
        self.stems = tuple(module.name for module in desk)
        self.engine.add_module(MixBus(MASTER, config, desk), as_output=True)
        for strip in self._strips.values():
            self._schedule_notes(strip)
            self._schedule_points(strip)

    @property
    def tempo_map(self) -> TempoMap:
        """The tempo of the piece."""
        return self.score.tempo_map

    @property
    def duration_s(self) -> Fraction:
        """How long the rendering is, the tail included."""
        return self.tempo_map.seconds_at(self.score.length_beats + self.score.tail_beats)

    @property
    def automation_events(self) -> int:
        """How many changes of controls are scheduled."""
        return len(self.engine.timeline)

    def beat_meter(self) -> BeatMeter:
        """A meter with a row for each beat that the piece has begun by its end."""
        beats = max(1, -(-self.score.length_beats // 1))
        return BeatMeter(self.tempo_map, self.config.sample_rate, int(beats), self.config.channels)

    def parts(self) -> Iterator[tuple[NDArray[np.float32], ...]]:
        """The master and, beside it, each of ``stems``, piece by piece from the start."""
        yield from self.engine.render_with_taps(self.duration_s, self.stems)

    def perform(self) -> Performance:
        """Render all of it in memory, and measure it."""
        parts = list(self.parts())
        master, *stems = [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]
        meter = self.beat_meter()
        meter.add(master)
        return Performance(
            master,
            dict(zip(self.stems, stems, strict=True)),
            meter.beats(),
            meter.integrated_lufs(),
            tuple(self.automation_log),
            self.automation_events,
        )

    # -- wiring --------------------------------------------------------------------------------

    def _strip(self, setup: InstrumentSetup, sound: Sound) -> _Strip:
        lanes = list(dict.fromkeys(n.lane for n in self.score.notes if n.instrument == setup.name))
        turned = {p.control for p in self.score.points if p.instrument == setup.name}
        turned |= {*setup.controls, *(lfo.control for lfo in setup.lfos)}
        chains = {
            lane: build_chain(
                f"{setup.name} / {lane}",
                self.config,
                setup,
                sound,
                filtered="cutoff_hz" in turned,
            )
            for lane in lanes
        }
        for module in (module for chain in chains.values() for module in chain.modules):
            self.engine.add_module(module)
        _share_clips(chains.values())
        fader = MixBus(
            setup.name,
            self.config,
            [chain.output for chain in chains.values()],
            gain_db=setup.gain_db,
            pan=setup.pan,
        )
        self.engine.add_module(fader)
        strip = _Strip(setup, chains, fader)
        self._check_controls(strip, turned)
        return strip

    def _check_controls(self, strip: _Strip, turned: set[str]) -> None:
        """Every control that somebody turns must be there, where the instrument plays at all."""
        for control in sorted(turned) if strip.chains else ():
            if not strip.owners(control):
                raise ValidationError(
                    f"instrument '{strip.setup.name}'",
                    f"has no control {control!r}; its controls: {', '.join(strip.controls)}",
                )

    def _effects(self) -> list[AudioModule]:
        """The shared delay and reverb, where an instrument sends to them."""
        effects = self.score.effects
        beat_s = self.tempo_map.seconds_at(effects.delay_beats)
        returns: list[AudioModule] = []
        if send := self._sends("delay"):
            time_ms = min(max(float(beat_s * 1_000), 1.0), 4_000.0)
            delay = Delay("delay", self.config, send, time_ms=time_ms, mix=1.0)
            delay.set_parameter("feedback", effects.delay_feedback)
            returns.append(delay)
        if send := self._sends("reverb"):
            reverb = Reverb("reverb", self.config, send, decay_s=effects.reverb_decay_s, mix=1.0)
            reverb.set_parameter("damping", effects.reverb_damping)
            returns.append(reverb)
        for module in returns:
            self.engine.add_module(module)
        return returns

    def _sends(self, effect: str) -> MixBus | None:
        sends = [
            MixBus(f"{name} to {effect}", self.config, [strip.fader], gain_db=gain_db)
            for name, strip in self._strips.items()
            for to, gain_db in strip.setup.sends_db.items()
            if to == effect
        ]
        return MixBus(f"{effect} send", self.config, sends) if sends else None

    # -- notes ---------------------------------------------------------------------------------

    def _schedule_notes(self, strip: _Strip) -> None:
        for lane, chain in strip.chains.items():
            notes = [
                note
                for note in self.score.notes
                if note.instrument == strip.setup.name and note.lane == lane
            ]
            notes.sort(key=lambda note: note.beats)
            for note, following in zip(notes, [*notes[1:], None], strict=True):
                self._schedule_note(chain, note, following)

    def _schedule_note(self, chain: LaneChain, note: Note, following: Note | None) -> None:
        self._turn(chain.starts(note), note.beats)
        end = note.beats + note.length_beats
        if following is None or end < following.beats:
            self._turn(chain.ends(), end)

    def _turn(self, turns: Sequence[Turn], beats: Fraction) -> None:
        for turn in turns:
            self.engine.schedule_parameter_change(
                turn.module, turn.control, beats=beats, value=turn.value
            )

    # -- automation ----------------------------------------------------------------------------

    def _schedule_points(self, strip: _Strip) -> None:
        own = [point for point in self.score.points if point.instrument == strip.setup.name]
        for control in dict.fromkeys(point.control for point in own):
            points = sorted(
                (point for point in own if point.control == control), key=lambda one: one.beats
            )
            owners = strip.owners(control)
            if owners:
                self._schedule_control(points, owners)

    def _schedule_control(
        self, points: Sequence[ControlPoint], owners: Sequence[AudioModule]
    ) -> None:
        """One control's values in time: steps, micro fades, and fades from value to value."""
        value, free_from = owners[0].value(points[0].control), Fraction(0)
        for point, following in zip(points, [*points[1:], None], strict=True):
            until = following.beats if following else None
            start, window, asked_ms = self._window(point, free_from, until)
            before = value
            value = owners[0].spec(point.control).from_normalised(point.position)
            for owner in owners:
                self.engine.schedule_parameter_change(
                    owner.name,
                    point.control,
                    beats=start,
                    value=value,
                    fade_beats=window,
                    curve=point.curve or "linear",
                )
            self._log(point, owners[0], (before, value), (start, window), asked_ms)
            free_from = start + window

    def _window(
        self, point: ControlPoint, free_from: Fraction, until: Fraction | None
    ) -> tuple[Fraction, Fraction, Fraction]:
        """Where a point's fade starts, how many beats it gets, and how many ms were asked for."""
        if point.smooth:
            end = self._smooth_end(point)
            asked = end - point.beats
            got = min(end, until) - point.beats if until is not None else asked
            return point.beats, got, self._ms_between(point.beats, end)
        if point.curve:
            return free_from, point.beats - free_from, self._ms_between(free_from, point.beats)
        return point.beats, Fraction(0), Fraction(0)

    def _smooth_end(self, point: ControlPoint) -> Fraction:
        assert point.smooth is not None
        if point.smooth.unit == "beats":
            return point.beats + point.smooth.amount
        return self.tempo_map.beats_at(
            self.tempo_map.seconds_at(point.beats) + point.smooth.amount / 1_000
        )

    def _ms_between(self, start: Fraction, end: Fraction) -> Fraction:
        return (self.tempo_map.seconds_at(end) - self.tempo_map.seconds_at(start)) * 1_000

    def _log(
        self,
        point: ControlPoint,
        owner: AudioModule,
        values: tuple[float, float],
        window: tuple[Fraction, Fraction],
        asked_ms: Fraction,
    ) -> None:
        start, beats = window
        applied_ms = self._ms_between(start, start + beats)
        self.automation_log.append(
            AppliedAutomation(
                point.lane,
                point.row,
                point.instrument,
                point.control,
                float(point.beats),
                round(values[1], 6),
                owner.spec(point.control).text(round(values[1], 3)),
                round(values[0], 6),
                (point.curve or "linear") if beats else None,
                float(start),
                round(float(asked_ms), 3),
                round(float(applied_ms), 3),
            )
        )


def _share_clips(chains: Iterable[LaneChain]) -> None:
    """The lanes of one instrument play the same clips: one copy of each, and of each transposition."""
    samplers = [chain.source for chain in chains if isinstance(chain.source, ClipSampler)]
    for sampler in samplers[1:]:
        sampler.share_clips(samplers[0])

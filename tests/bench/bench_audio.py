"""How fast the musician's engine renders: seconds of audio per second. It uses one core.

    python -m tests.bench audio

Compared with: plain numpy and scipy over the whole buffer, written for each case by hand (the limit
of what blocks can reach), pedalboard (the effects) and dawdreamer (Faust), where those are installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import numpy as np
from scipy.signal import lfilter

from shared.audio.engine import EngineConfig, OfflineAudioEngine
from shared.audio.modules import (
    AmplitudeEnvelope,
    AudioModule,
    Delay,
    MixBus,
    NoiseOscillator,
    OnePoleLowPass,
    Reverb,
    SineOscillator,
    StateVariableFilter,
)
from tests.bench.report import Row

RATE, VOICES, BEAT_S = 48_000, 16, 0.5
SECONDS, ROUNDS = 10.0, 3
OURS = "blocks of 128"
Case = Callable[[], Any]


def best_s(case: Case) -> float:
    """The quickest of a few runs, after one to warm up."""
    case()
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        case()
        times.append(perf_counter() - start)
    return min(times)


# -- the seed's chain: sine, envelope, one-pole; a gate and two cutoffs ---------------------------


def seed_chain(config: EngineConfig, seconds: float) -> Case:
    engine = OfflineAudioEngine(config)
    osc = engine.add_module(SineOscillator("lead", config))
    env = engine.add_module(AmplitudeEnvelope("lead_env", config, source=osc))
    engine.add_module(OnePoleLowPass("lead_filter", config, source=env), as_output=True)
    engine.schedule_parameter_change("lead", "amplitude", beats=0.0, value=0.6)
    engine.schedule_parameter_change("lead_env", "gate", beats=1.0, value=1.0)
    engine.schedule_parameter_change("lead_filter", "cutoff_hz", beats=0.0, value=400.0)
    engine.schedule_parameter_change("lead_filter", "cutoff_hz", beats=3.0, value=4_000.0)
    return lambda: engine.render(seconds)


def stepped_low_pass(x: np.ndarray, cutoffs_hz: list[float], starts: list[int]) -> np.ndarray:
    """One lfilter a stretch, state carried over."""
    y, state = np.empty_like(x), np.zeros(1)
    for cutoff_hz, start, stop in zip(cutoffs_hz, starts, [*starts[1:], len(x)], strict=True):
        pole = np.exp(-2.0 * np.pi * cutoff_hz / RATE)
        y[start:stop], state = lfilter([1.0 - pole], [1.0, -pole], x[start:stop], zi=state)
    return y


def seed_chain_whole(seconds: float) -> Case:
    frames = round(seconds * RATE)

    def run() -> np.ndarray:
        wave = 0.6 * np.sin(2.0 * np.pi * 440.0 / RATE * np.arange(frames))
        level = np.ones(frames)
        level[:24_000] = 0.0
        level[24_000:24_240] = np.arange(240) / 240
        y = stepped_low_pass(wave * level, [400.0, 4_000.0], [0, 72_000])
        return np.repeat(y[:, None], 2, axis=1).astype(np.float32)

    return run


# -- 16 voices: notes every beat, cutoff steps, fades of level and pan -----------------------------


def voices(config: EngineConfig, seconds: float) -> Case:
    engine = OfflineAudioEngine(config)
    strips = []
    beats = int(seconds / BEAT_S)
    for voice in range(VOICES):
        osc = SineOscillator(f"osc {voice}", config, frequency_hz=110.0 * (voice + 2))
        env = AmplitudeEnvelope(f"env {voice}", config, osc, attack_ms=5.0, release_ms=100.0)
        low_pass = OnePoleLowPass(f"lp {voice}", config, env, cutoff_hz=2_000.0)
        strip = MixBus(f"strip {voice}", config, [low_pass], gain_db=-24.0)
        for module in (osc, env, low_pass, strip):
            engine.add_module(module)
        strips.append(strip)
        for beat in range(beats):
            change = engine.schedule_parameter_change
            change(f"env {voice}", "gate", beats=beat, value=1.0)
            change(f"env {voice}", "gate", beats=beat + 0.5, value=0.0)
            change(f"lp {voice}", "cutoff_hz", beats=beat, value=500.0 + 500.0 * (beat % 8))
            level = -24.0 + (beat % 2) * 6.0
            change(f"strip {voice}", "gain_db", beats=beat, value=level, fade_beats=1.0)
            change(f"strip {voice}", "pan", beats=beat, value=(beat % 3) - 1.0, fade_beats=0.5)
    engine.add_module(MixBus("master", config, strips), as_output=True)
    return lambda: engine.render(seconds)


def voices_whole(seconds: float) -> Case:
    frames, beat_frames = round(seconds * RATE), round(BEAT_S * RATE)
    beats = frames // beat_frames

    def run() -> np.ndarray:
        time, mix = np.arange(frames), np.zeros((frames, 2))
        note = np.zeros(beat_frames)
        half = beat_frames // 2
        note[:half] = np.minimum(np.arange(half) / 240, 1.0)
        note[half : half + 4_800] = np.exp(-np.log(1_000.0) * np.arange(4_800) / 4_800)
        level = np.resize(note, frames)
        marks = np.arange(beats + 1) * beat_frames
        gains = np.interp(time, marks, -24.0 + (np.arange(beats + 1) % 2) * 6.0)
        pans = np.interp(time, marks, np.arange(beats + 1) % 3 - 1.0)
        cutoffs = [500.0 + 500.0 * (beat % 8) for beat in range(beats)]
        for voice in range(VOICES):
            wave = np.sin(2.0 * np.pi * 110.0 * (voice + 2) / RATE * time) * level
            y = stepped_low_pass(wave, cutoffs, marks[:-1].tolist())
            y *= 10.0 ** (gains / 20.0)
            mix[:, 0] += y * np.sqrt(1.0 - pans)
            mix[:, 1] += y * np.sqrt(1.0 + pans)
        return mix.astype(np.float32)

    return run


# -- effects: filter, delay, reverb on stereo noise -----------------------------------------------


def effects(config: EngineConfig, seconds: float) -> Case:
    engine = OfflineAudioEngine(config)
    left = MixBus("left", config, [NoiseOscillator("a", config, seed=1)], gain_db=-12.0, pan=-1.0)
    right = MixBus("right", config, [NoiseOscillator("b", config, seed=2)], gain_db=-12.0, pan=1.0)
    chain: AudioModule = MixBus("noise", config, [left, right])
    chain = StateVariableFilter("filter", config, chain, cutoff_hz=2_000.0, resonance=0.3)
    chain = Delay("delay", config, chain, time_ms=375.0)
    engine.add_module(Reverb("reverb", config, chain), as_output=True)
    return lambda: engine.render(seconds)


def effects_pedalboard(seconds: float) -> Case | None:
    if not find_spec("pedalboard"):
        return None
    import pedalboard

    board = pedalboard.Pedalboard(
        [
            pedalboard.LadderFilter(cutoff_hz=2_000.0, resonance=0.3),
            pedalboard.Delay(delay_seconds=0.375, feedback=0.35, mix=0.35),
            pedalboard.Reverb(wet_level=0.35),
        ]
    )
    noise = np.random.default_rng(1).uniform(-0.25, 0.25, (2, round(seconds * RATE)))
    audio = noise.astype(np.float32)
    return lambda: board(audio, RATE, buffer_size=128)


def seed_chain_dawdreamer(seconds: float) -> Case | None:
    if not find_spec("dawdreamer"):
        return None
    import dawdreamer

    engine = dawdreamer.RenderEngine(RATE, 128)
    synth = engine.make_faust_processor("synth")
    synth.set_dsp_string(
        'import("stdfaust.lib");'
        "process = 0.6 * os.osc(440) * en.asr(0.005, 1, 0.08, 1) : fi.lowpass(1, 400) <: _, _;"
    )
    engine.load_graph([(synth, [])])

    def run() -> Any:
        engine.render(seconds)
        return engine.get_audio()

    return run


def cases() -> dict[str, dict[str, Case | None]]:
    """What is measured -> how -> a run of ``SECONDS`` of audio."""
    joined = EngineConfig(RATE, 128)
    alone = EngineConfig(RATE, 128, joined_frames=1)
    large = EngineConfig(RATE, 4_096, joined_frames=1)
    return {
        "seed's chain": {
            OURS: seed_chain(joined, SECONDS),
            "our 128, each block alone": seed_chain(alone, SECONDS),
            "our 4096, each block alone": seed_chain(large, SECONDS),
            "numpy, whole buffer": seed_chain_whole(SECONDS),
            "dawdreamer": seed_chain_dawdreamer(SECONDS),
        },
        "16 voices, automation": {
            OURS: voices(joined, SECONDS),
            "our 128, each block alone": voices(alone, SECONDS),
            "our 4096, each block alone": voices(large, SECONDS),
            "numpy, whole buffer": voices_whole(SECONDS),
        },
        "filter, delay, reverb": {
            OURS: effects(joined, SECONDS),
            "our 128, each block alone": effects(alone, SECONDS),
            "our 4096, each block alone": effects(large, SECONDS),
            "pedalboard": effects_pedalboard(SECONDS),
        },
    }


def measure() -> Iterator[Row]:
    """Every way beside ours, in seconds of audio per second."""
    for name, ways in cases().items():
        rates = {how: SECONDS / best_s(case) for how, case in ways.items() if case}
        ours = rates.pop(OURS)
        for how, rate in rates.items():
            goal = "ratio >= 0.5" if how == "numpy, whole buffer" else ""
            yield Row(f"{name}: {how}", round(ours, 1), round(rate, 1), "x real time", goal)

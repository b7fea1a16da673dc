"""Masters and stems: loudness, peaks, files, meta."""

from __future__ import annotations

import json
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
import soundfile

from functions.render.audio.wav import Rounding
from shared.audio.limiter import Limiter, held, smoothed
from shared.contracts.ids import artifact_id
from shared.contracts.step import StepState
from shared.sound.delivery_targets import DELIVERY_TARGETS, TargetName
from shared.sound.true_peak import true_peaks
from tests.functions.render.rig import (
    RATE,
    Mixed,
    Sound,
    level_db,
    mix,
    noise,
    one_track,
    read,
    tone,
    write,
)

TARGETS = {"default": -16, "podcast": -16, "music": -14, "voiceover": -19, "draft": -16}
WITHIN_LU = 0.5


def bursts(seconds: float = 4.0) -> Sound:
    """Loud and quiet by turns, with peaks that no gain alone leaves whole."""
    sound = noise(seconds, level=0.02, seed=3)
    at = np.arange(len(sound))
    sound[at % RATE < RATE // 100] *= 15
    sound[at % RATE >= RATE // 2] *= 0.5
    return sound


def measured_lufs(sound: Sound) -> float:
    return float(pyloudnorm.Meter(RATE).integrated_loudness(sound))


def true_peak_dbtp(path: Path) -> float:
    """As ffmpeg's ebur128 measures it."""
    args = ["ffmpeg", "-nostats", "-i", path, "-af", "ebur128=peak=true", "-f", "null", "-"]
    printed = subprocess.run(args, capture_output=True, text=True, check=True).stderr
    return float(printed.rsplit("Peak:", 1)[1].split()[0])


def probed(path: Path) -> dict[str, Any]:
    args = ["ffprobe", "-v", "error", "-show_chapters", "-show_format", "-show_streams"]
    printed = subprocess.run([*args, "-of", "json", path], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(printed.stdout)
    return found


def mastered(folder: Path, sound: Sound, **params: Any) -> Mixed:
    return mix(folder, {"a": write(folder, sound)}, one_track({"asset_id": "a"}), **params)


@pytest.mark.heavy
@pytest.mark.parametrize("preset", TARGETS)
def test_each_preset_has_its_loudness_and_its_peaks(tmp_path: Path, preset: str) -> None:
    done = mastered(tmp_path, bursts(), export_preset=preset)
    meta = done.master.meta
    heard = measured_lufs(done.sound())
    assert heard == pytest.approx(TARGETS[preset], abs=WITHIN_LU)
    assert meta["integrated_lufs"] == pytest.approx(heard, abs=0.1)
    assert true_peak_dbtp(done.master.path) <= -1.0
    assert meta["limited_by_db"] > 1, "the limiter had to work for it"
    assert done.result.state is StepState.DONE


@pytest.mark.heavy
@pytest.mark.parametrize(("target", "channels"), [("ebu_r128", 2), ("spotify", 1)])
def test_a_delivery_target_goes_before_the_preset(
    tmp_path: Path, target: TargetName, channels: int
) -> None:
    mixed = mastered(tmp_path, bursts(), target=target, channels=channels)
    asked = DELIVERY_TARGETS[target]
    assert measured_lufs(mixed.sound()) == pytest.approx(asked.lufs, abs=0.15)
    meta = mixed.master.meta
    assert meta["delivery"]["target"] == target and meta["delivery"]["met"]
    assert meta["true_peak_dbtp"] <= asked.ceiling_dbtp == meta["limiter_thresh"]


@pytest.mark.heavy
def test_a_stereo_voiceover_is_three_lu_louder_by_the_meter(tmp_path: Path) -> None:
    done = mastered(tmp_path, bursts(), export_preset="voiceover", channels=2)
    assert measured_lufs(done.sound()) == pytest.approx(-16, abs=WITHIN_LU)
    assert done.master.meta["loudnorm_target"] == -16


@pytest.mark.parametrize("level", [0.9, pytest.param(0.0005, marks=pytest.mark.heavy)])
def test_too_loud_and_too_quiet_mixes_come_to_the_target(tmp_path: Path, level: float) -> None:
    done = mastered(tmp_path, tone(3.0, level=level, channels=2), export_preset="podcast")
    assert measured_lufs(done.sound()) == pytest.approx(-16, abs=WITHIN_LU)
    assert done.master.meta["headroom_gain_db"] == (-5.08 if level == 0.9 else 0.0)


@pytest.mark.heavy
def test_what_limiting_cannot_reach_is_said(tmp_path: Path) -> None:
    clicks = np.zeros((3 * RATE, 2))
    clicks[::4_000] = 0.9
    done = mastered(tmp_path, clicks, export_preset="music")
    assert done.result.state is StepState.DEGRADED
    assert done.result.reason is not None and "short of the target" in done.result.reason
    assert true_peak_dbtp(done.master.path) <= -1.0


def test_silence_is_mastered_to_silence_and_said(tmp_path: Path) -> None:
    done = mastered(tmp_path, np.zeros((RATE, 2)))
    assert done.result.state is StepState.DEGRADED and "silent" in str(done.result.reason)
    assert done.master.meta["integrated_lufs"] is None
    assert level_db(done.sound()) < -130, "dither alone"


@pytest.mark.heavy
def test_stems_add_up_to_the_mix_before_mastering(tmp_path: Path) -> None:
    sources = {name: write(tmp_path, noise(2.0, seed=n)) for n, name in enumerate("abc")}
    roles = {"a": "dialogue", "b": "music", "c": "ambience"}
    timeline = {
        "mix_preset_id": "podcast_mix",
        "tracks": [
            {"track_id": role, "role": role, "pan": 0.2, "clips": [{"asset_id": name}]}
            for name, role in roles.items()
        ],
    }
    done = mix(
        tmp_path,
        sources,
        timeline,
        export_preset="podcast",
        stems_export=True,
        premaster_export=True,
    )
    total = sum(read(stem.path) for stem in done.stems)
    assert level_db(total) > -40
    assert level_db(total - done.sound("premaster")) < -90
    first = done.stems[0].meta
    assert [stem.meta["bus_id"] for stem in done.stems] == [
        "bus_dialogue",
        "bus_music",
        "bus_ambience",
    ]
    assert first["roles"] == ["dialogue"] and first["export_preset"] == "podcast"
    assert first["parent_master"] == artifact_id("key", "audio_render", "master")
    assert first["stage"] == "pre_master" and first["limiter_thresh"] is None
    assert not first["dithered"] and done.stems[1].meta["gain_db"] == -6.0
    master_gain = 10 ** (first["master_gain_db"] / 20)
    assert level_db(total * master_gain - done.sound()) < -40, "nothing else but the limiter"


@pytest.mark.heavy
def test_the_masters_meta_says_all_that_was_done(tmp_path: Path) -> None:
    done = mastered(tmp_path, noise(1.0), export_preset="podcast")
    meta = done.master.meta
    wanted = {
        **{"bus_id": "master", "roles": ["master"], "export_preset": "podcast"},
        **{"limiter_thresh": -1.0, "loudnorm_target": -16.0, "dithered": True},
        **{"headroom": 6.0, "render_profile": "wav_16_48000_2ch"},
    }
    assert {name: meta[name] for name in wanted} == wanted
    order = "fades -> automation -> bus mixing -> headroom -> loudnorm -> limiter -> dither"
    assert order in meta["plan"]
    assert done.master.parents == ("a",)


@pytest.mark.heavy
@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "aac", "opus"])
def test_every_format_plays_and_carries_tags_and_chapters(tmp_path: Path, format: str) -> None:
    timeline = {
        **one_track({"asset_id": "a"}),
        "markers": [{"time_ms": 0, "name": "Intro"}, {"time_ms": 1_500, "name": "Ünter; = \\ #1"}],
        "tags": {"title": "Fölge 1", "artist": "Us"},
    }
    source = {"a": write(tmp_path, noise(2.0))}
    done = mix(tmp_path, source, timeline, export_preset="podcast", format=format)
    found = probed(done.master.path)
    tags = {**found["format"].get("tags", {}), **found["streams"][0].get("tags", {})}
    tags = {name.lower(): value for name, value in tags.items()}
    assert (tags["title"], tags["artist"]) == ("Fölge 1", "Us")
    assert float(found["format"]["duration"]) == pytest.approx(2.0, abs=0.1)
    heard = (labels if format == "wav" else chapter_list)(done.master.path)
    assert heard == [(0.0, "Intro"), (1.5, "Ünter; = \\ #1")]
    assert done.master.meta["dithered"] == (format in ("wav", "flac"))
    again = mix(tmp_path, source, timeline, export_preset="podcast", format=format)
    assert again.master.path.read_bytes() == done.master.path.read_bytes()


@pytest.mark.heavy
@pytest.mark.parametrize("format", ["mp3", "aac", "opus"])
def test_what_a_player_hears_of_a_lossy_master_stays_below_the_limit(
    tmp_path: Path, format: str
) -> None:
    done = mastered(tmp_path, bursts(), export_preset="music", format=format)
    assert true_peak_dbtp(done.master.path) <= -0.9
    assert done.master.meta["true_peak_dbtp"] <= -1.0
    assert done.master.meta["integrated_lufs"] == pytest.approx(-14, abs=WITHIN_LU)


def chapter_list(path: Path) -> list[tuple[float, str]]:
    chapters = probed(path)["chapters"]
    return [(round(float(one["start_time"]), 3), one["tags"]["title"]) for one in chapters]


def labels(path: Path) -> list[tuple[float, str]]:
    """The cue points and labels of a WAV file."""
    chunks = dict(riff_chunks(path.read_bytes()[12:]))
    cue, listed = chunks[b"cue "], chunks[b"LISTadtl"]
    frames = [int.from_bytes(cue[8 + 24 * n : 12 + 24 * n], "little") for n in range(cue[0])]
    texts = [data[4:].rstrip(b"\0").decode() for name, data in riff_chunks(listed)]
    return [(frame / RATE, text) for frame, text in zip(frames, texts, strict=True)]


def riff_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    while data:
        name, size = data[:4], int.from_bytes(data[4:8], "little")
        body = data[8 : 8 + size]
        found.append((name + body[:4], body[4:]) if name == b"LIST" else (name, body))
        data = data[8 + size + size % 2 :]
    return found


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("depth", "subtype", "format"),
    [(16, "PCM_16", "flac"), (24, "PCM_24", "flac"), (24, "PCM_24", "wav")],
)
def test_bit_depths_are_as_asked(tmp_path: Path, depth: int, subtype: str, format: str) -> None:
    done = mastered(tmp_path, noise(1.0), bit_depth=depth, format=format)
    assert soundfile.info(done.master.path).subtype == subtype
    if format == "wav":
        with wave.open(str(done.master.path)) as file:
            assert file.getsampwidth() * 8 == depth and file.getnframes() == RATE


def test_dither_turns_distortion_into_noise(tmp_path: Path) -> None:
    quiet = np.repeat(tone(2.0, 1_000, level=0.6 / (1 << 15)).T, 2, axis=0).astype(np.float32)

    def harmonics(dither: bool) -> float:
        rounded = Rounding(16, dither=dither).round(quiet)[0].astype(float)
        spectrum = np.abs(np.fft.rfft(rounded * np.hanning(len(rounded))))
        return float(20 * np.log10(spectrum[2 * 3_000] / spectrum[2 * 1_000]))

    assert harmonics(False) > -20
    assert harmonics(True) < -30


def test_rounding_is_the_same_in_blocks(tmp_path: Path) -> None:
    sound = noise(0.5).T.astype(np.float32)
    whole = Rounding(16, dither=True).round(sound)
    rounding = Rounding(16, dither=True)
    parts = [rounding.round(part) for part in np.split(sound, [1, 77, 5_000], axis=1)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


# -- the limiter ------------------------------------------------------------------------------


def limited(sound: Sound, threshold_dbtp: float, block: int = 1 << 20) -> Sound:
    samples = sound.T.astype(np.float32)

    def read_part(first: int, stop: int) -> Any:
        low, high = max(first, 0), min(stop, len(sound))
        return np.pad(samples[:, low:high], ((0, 0), (low - first, stop - high)))

    limiter = Limiter(read_part, threshold_dbtp, RATE)
    starts = range(0, len(sound), block)
    parts = [limiter.process(at, min(at + block, len(sound))) for at in starts]
    return np.concatenate(parts, axis=1).T


def test_the_limiter_touches_nothing_below_its_threshold() -> None:
    sound = noise(1.0, level=0.05).astype(np.float32)
    assert np.array_equal(limited(sound, -1.0), sound)


@pytest.mark.heavy
@pytest.mark.parametrize("block", [5_000, 48_000])
def test_the_limiter_in_blocks_is_the_limiter_whole(block: int) -> None:
    sound = noise(2.0, level=0.5)
    assert np.abs(limited(sound, -6.0, block) - limited(sound, -6.0)).max() < 1e-6


@pytest.mark.heavy
def test_peaks_between_samples_are_found_and_limited(tmp_path: Path) -> None:
    """A sine at a quarter of the rate, 45 degrees on: 3 dB more than any sample."""
    wave_ = 0.9 * np.sin(np.pi / 2 * np.arange(RATE) + np.pi / 4)
    sound = np.stack([wave_, wave_], axis=1) * np.hanning(RATE)[:, None]
    peak = true_peaks(sound.T.astype(np.float32), 0.5).max()
    assert 20 * np.log10(peak) == pytest.approx(-0.9, abs=0.1)
    path = write(tmp_path, limited(sound, -6.0))
    assert true_peak_dbtp(path) <= -6.0
    assert true_peak_dbtp(path) > -6.5, "and not turned down more than needed"


def test_a_peak_in_the_first_samples_is_limited() -> None:
    sound = noise(0.1, level=0.02)
    sound[3] = 2.0
    assert np.abs(limited(sound, -1.0)).max() < 10 ** (-1 / 20)


def test_looking_ahead_sees_just_its_window() -> None:
    needed = np.zeros(40)
    needed[20] = 6.0
    ahead = held(needed, 8)
    assert np.flatnonzero(ahead).tolist() == list(range(12, 21))
    smooth = smoothed(np.concatenate([np.zeros(8), ahead]), 8)
    assert len(smooth) == len(ahead) and smooth[20] == pytest.approx(6.0)

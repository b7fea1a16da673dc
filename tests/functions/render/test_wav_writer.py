"""Float and integer WAVs, as other programs read them; and what a format has no room for."""

from __future__ import annotations

import json
import struct
import subprocess
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from functions.render.audio.delivering import judged
from functions.render.audio.export_presets import Format
from functions.render.audio.master import Mastered
from functions.render.audio.mix_plan import plan_mix
from functions.render.audio.wav import WavWriter
from functions.render.audio.writing import ffmetadata
from functions.separate.pcm import Plain, write_wav
from shared.contracts.step import StepState
from shared.contracts.timeline import Timeline

FRAMES = 4_801


def chunks(path: Path) -> dict[bytes, bytes]:
    """Name -> body, in order; the file ends with the last."""
    data, at, found = path.read_bytes(), 12, dict[bytes, bytes]()
    assert data[:4] == b"RIFF" and struct.unpack("<I", data[4:8])[0] == len(data) - 8
    while at < len(data):
        name, size = data[at : at + 4], struct.unpack("<I", data[at + 4 : at + 8])[0]
        found[name] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def written(path: Path, bits: int, channels: int = 2) -> np.ndarray:
    sound = np.random.default_rng(1).uniform(-1, 1, (channels, FRAMES)).astype(np.float32)
    whole = (sound * (1 << 15)).astype(np.int32)
    with WavWriter(path, 48_000, channels, bits, FRAMES) as writer:
        for first in range(0, FRAMES, 1_000):
            part = (sound if bits == 32 else whole)[:, first : first + 1_000]
            writer.write(part)
        writer.close([(0, "Intro"), (2_400, "Ende")], {"title": "Ein Lied"})
    return sound.T


@pytest.mark.parametrize("channels", [1, 2])
def test_a_float_wav_has_what_is_not_pcm_must_have_and_is_read(
    tmp_path: Path, channels: int
) -> None:
    path = tmp_path / "stem.wav"
    sound = written(path, 32, channels)
    found = chunks(path)
    assert list(found) == [b"fmt ", b"fact", b"data", b"cue ", b"LIST"]
    assert len(found[b"fmt "]) == 18 and struct.unpack("<I", found[b"fact"]) == (FRAMES,)
    read, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 48_000 and np.array_equal(read, sound)
    asked = ["ffprobe", "-v", "warning", "-show_streams", "-show_chapters", "-show_format"]
    ran = subprocess.run([*asked, "-of", "json", path], capture_output=True, check=True)
    told = json.loads(ran.stdout)
    assert not ran.stderr and told["format"]["tags"]["title"] == "Ein Lied"
    assert told["streams"][0]["codec_name"] == "pcm_f32le"
    assert told["streams"][0]["duration_ts"] == FRAMES


def test_an_integer_wav_is_the_plainest(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    written(path, 16)
    assert list(chunks(path)) == [b"fmt ", b"data", b"cue ", b"LIST"]
    with wave.open(str(path)) as read:
        assert (read.getnframes(), read.getsampwidth()) == (FRAMES, 2)


@pytest.mark.parametrize(("peak", "names"), [(0.5, [b"fmt ", b"data"]), (1.5, None)])
def test_a_separated_stem_beyond_full_scale_is_such_a_wav(
    tmp_path: Path, peak: float, names: list[bytes] | None
) -> None:
    sound = np.full((FRAMES, 1), peak, np.float32)
    (tmp_path / "stem.f32").write_bytes(sound.tobytes())
    path = tmp_path / "stem.wav"
    write_wav(Plain(tmp_path / "stem.f32", FRAMES, 1, 44_100), path)
    found = chunks(path)
    assert list(found) == (names or [b"fmt ", b"fact", b"data"])
    assert np.allclose(soundfile.read(path)[0], peak, atol=1e-6)


@pytest.mark.parametrize(("format", "held"), [("flac", 1_000), ("opus", 1_000), ("mp3", 1_001)])
def test_the_thousand_and_first_marker_is_no_chapter_of_four_digits(
    format: Format, held: int
) -> None:
    markers = [{"time_ms": 10 * at, "name": f"M{at}"} for at in range(1_001)]
    clips = [{"asset_id": "a", "start_ms": 0}]
    told = {"tracks": [{"track_id": "one", "clips": clips}], "markers": markers}
    timeline = Timeline.model_validate(told)
    plan = plan_mix(timeline, {"a": 11_000}, "default", format=format)
    text = ffmetadata(plan, {})
    assert "CHAPTER1000" not in text
    assert text.count("NAME=") + text.count("[CHAPTER]") == held
    done = Mastered(0.0, 0.0, plan.export.loudnorm_target, -1.0, None, 0.0, 1)
    state, reason = judged(plan, done)
    if held == len(markers):
        assert (state, reason) == (StepState.DONE, None)
        return
    assert state is StepState.DEGRADED and reason is not None
    assert reason.startswith("1 of 1001 markers are left out")
    fewer = replace(plan, markers=plan.markers[:held])
    assert judged(fewer, done) == (StepState.DONE, None)

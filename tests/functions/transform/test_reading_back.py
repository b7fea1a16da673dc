"""What is read back of a WAV, beside libsndfile's reading of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from functions.transform.reading_back import WINDOW_FRAMES, read_back
from shared.errors import BackendFailed
from shared.media.ffmpeg import run

RATE = 8000
WINDOWS = 37
"""More than a block holds, and not a multiple of it."""


@pytest.mark.parametrize("codec", ["pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"])
@pytest.mark.parametrize(("channels", "loudest"), [(1, 0.5), (3, -0.75)])
def test_peak_and_windows_are_those_of_another_reader(
    codec: str, channels: int, loudest: float, tmp_path: Path
) -> None:
    sound = np.random.default_rng(2).uniform(-0.4, 0.4, (WINDOWS * WINDOW_FRAMES + 99, channels))
    sound[17 * WINDOW_FRAMES + 5, -1] = loudest
    source, path = tmp_path / "source.wav", tmp_path / "a.wav"
    soundfile.write(source, sound, RATE, subtype="DOUBLE")
    run(["-i", source, "-c:a", codec, "-rf64", "auto", path], timeout_s=30)
    read, _ = soundfile.read(path, always_2d=True)

    peak, windows = read_back(path, codec, channels, window_step=3)

    assert peak == np.abs(read).max() == abs(loudest)
    whole = read[: WINDOWS * WINDOW_FRAMES].reshape(WINDOWS, WINDOW_FRAMES, channels)
    np.testing.assert_array_equal(windows, whole[::3].astype(np.float32))


def test_what_is_no_wav_or_empty_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(BackendFailed, match="wrote no WAV"):
        read_back(path, "pcm_s24le", 1, 1)
    path.write_bytes(b"RIFF")
    with pytest.raises(BackendFailed, match="wrote no WAV"):
        read_back(path, "pcm_s24le", 1, 1)
    soundfile.write(path, np.zeros((0, 1)), RATE, subtype="PCM_24")
    with pytest.raises(BackendFailed, match="no sound"):
        read_back(path, "pcm_s24le", 1, 1)

from __future__ import annotations

from pathlib import Path

import pytest

from functions.probe.recording import probe_recording
from shared.errors import UnsupportedMedia
from tests.shared.media.recordings import clip, ffmpeg, write_noise


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("extension", "content_type"),
    [("wav", "audio/wav"), ("flac", "audio/flac"), ("m4a", "audio/mp4"), ("webm", "video/webm")],
)
def test_a_recording_is_called_by_what_it_is(
    extension: str, content_type: str, tmp_path: Path
) -> None:
    made = tmp_path / f"made.{extension}"
    source = (
        clip(tmp_path / "a.mkv", seconds=1)
        if extension == "webm"
        else write_noise(tmp_path / "a.wav")
    )
    ffmpeg("-i", source, made)
    probed = probe_recording(made.rename(tmp_path / "renamed.txt"))
    assert (probed.content_type, probed.extension) == (content_type, extension)
    assert probed.media.has_audio


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.wav").write_text("dear diary")
    with pytest.raises(UnsupportedMedia):
        probe_recording(tmp_path / "notes.wav")

"""Patterns are told from recordings by what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.probe.recording import probe_recording
from shared.errors import UnsupportedMedia

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "rehearsal.json"


def test_a_pattern_is_performed_and_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(EXAMPLE.read_bytes())
    probed = probe_recording(path)
    assert probed.media.is_pattern and not probed.media.has_audio
    assert (probed.content_type, probed.extension) == ("application/json", "json")


def test_a_midi_file_is_a_pattern(tmp_path: Path) -> None:
    path = tmp_path / "song"
    path.write_bytes(b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\4\0\xff\x2f\0")
    assert probe_recording(path).media.container == "midi"


@pytest.mark.parametrize(
    "text", ['{"format": "something else"}', "[]", "[" * 100_000, '"rushes.pattern"']
)
def test_other_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "song.json"
    path.write_text(text)
    with pytest.raises(UnsupportedMedia):
        probe_recording(path)

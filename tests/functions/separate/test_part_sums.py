"""A recording separated in parts: nobody hears where they meet, and what they were made with is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.separate import part_sums, stems
from functions.separate.part_sums import Head
from shared.contracts.asset import AudioStream, MediaInfo
from shared.contracts.step_engine import Job, Part, Result
from shared.errors import BackendFailed
from shared.media.probe import probe
from tests.functions.separate.rig import MODEL, separate, song, write

PARAMS = stems.StemsParams(model=MODEL)


@pytest.mark.heavy
def test_parts_leave_what_one_piece_does(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts shorter than a segment, so that some begin none; three channels are a pair and one."""
    mix = song(5.0)[1]
    three = np.column_stack([mix, mix[::-1, 0]])
    source = write(tmp_path / "three.wav", three, 48_000, "FLOAT")
    whole = separate(source, tmp_path, shifts=2)
    monkeypatch.setattr(stems, "PART_MS", 700)
    media, params = probe(source), stems.StemsParams(model=MODEL, shifts=2)
    parts = stems.split(media, {}, params)
    assert len(parts) >= 7 and parts[-1].end_ms == media.duration_ms
    assert separate(source, tmp_path, shifts=2).hashes == whole.hashes


@pytest.mark.heavy
@pytest.mark.parametrize("kind", ["waveform", "uneven"])
def test_models_that_look_past_a_segment_leave_the_same_bits(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A Demucs without a spectrogram, and a bag of models whose segments are not equally long."""
    from tests.functions.separate import random_models  # torch takes a second to import

    save = {
        "waveform": random_models.save_waveform_demucs,
        "uneven": random_models.save_uneven_bag,
    }
    model = save[kind](models, kind)
    source = write(tmp_path / "song.wav", song(4.3)[1])
    whole = separate(source, tmp_path, model=model, shifts=2)
    monkeypatch.setattr(part_sums, "PIECE_S", 0.1)
    pieces = separate(source, tmp_path, model=model, shifts=2)
    assert pieces.hashes == whole.hashes
    monkeypatch.setattr(stems, "PART_MS", 1_300)
    assert len(stems.split(probe(source), {}, stems.StemsParams(model=model, shifts=2))) >= 3
    parts = separate(source, tmp_path, model=model, shifts=2)
    assert parts.hashes == whole.hashes
    for one, other in zip(whole.result.outputs, parts.result.outputs, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()


def test_more_work_makes_shorter_parts() -> None:
    def parts(minutes: float, channels: int = 2, **params: Any) -> int:
        stream = AudioStream(index=0, codec="flac", channels=channels, sample_rate_hz=44_100)
        media = MediaInfo(container="flac", duration_ms=round(60_000 * minutes), audio=(stream,))
        return len(stems.split(media, {}, stems.StemsParams(**params)))

    assert parts(4) == parts(7) == 0, "a song is done in one piece"
    assert parts(10) == 2 and parts(60) == 12
    assert parts(10, model="htdemucs_ft") == 8, "four models"
    assert parts(10, shifts=2) == 4 and parts(10, channels=6) == 6
    assert parts(10, shifts=10, model="htdemucs_ft") == 20, "no shorter than half a minute"


@dataclass(frozen=True)
class Halves:
    """Both parts of a song, as two machines made them."""

    job: Job
    files: list[Path]

    def second_says(self, this: bytes, that: bytes) -> None:
        """The second part's machine was another."""
        head, _, sums = self.files[1].read_bytes().partition(b"\n")
        assert this in head
        self.files[1].write_bytes(head.replace(this, that) + b"\n" + sums)

    def joined(self) -> Result:
        return stems.join_stems(self.job, PARAMS, stems.ENGINE.backend(), self.files)


@pytest.fixture
def halves(models: Path, tmp_path: Path) -> Halves:
    source = write(tmp_path / "song.wav", song(4.0)[1])
    job = Job(source, probe(source), tmp_path, lambda fraction: None)
    files = []
    for number, part in enumerate([Part(0, 2_000), Part(2_000, 4_000)]):
        workdir = tmp_path / str(number)
        workdir.mkdir()
        own = replace(job, workdir=workdir)
        files.append(stems.separate_stretch(own, PARAMS, stems.ENGINE.backend(), part))
    return Halves(job, files)


@pytest.mark.heavy
def test_parts_of_other_weights_are_not_joined(halves: Halves) -> None:
    """A machine that got others under the same name while a recording was separated."""
    halves.second_says(b'"sha256":"', b'"sha256":"0')
    with pytest.raises(BackendFailed, match="different weights; ask for it once more with force"):
        halves.joined()


@pytest.mark.heavy
def test_parts_made_on_different_devices_are_told(halves: Halves) -> None:
    """The very same samples are promised for one device only."""
    device = Head.read(halves.files[0]).loaded.device
    halves.second_says(f'"device":"{device}"'.encode(), b'"device":"elsewhere"')
    told = {output.meta["device"] for output in halves.joined().outputs}
    assert told == {f"{device}, elsewhere"}
    assert not any(path.exists() for path in halves.files), "stems take as much room"

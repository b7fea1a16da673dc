"""How many programs a step starts: each takes 70 ms of a processor, as much as 30 s of sound to decode.

A count that falls is good news: lower it here. One that rises is a decision.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from functions.anonymise import faces
from functions.detect import regions, visual_meta
from functions.transform import fx, loudness, normalise, resample
from shared.contracts.step_engine import Engine, Job
from shared.media.ffmpeg_filters import known_filters
from shared.media.frames import picture_format
from shared.media.prelinking import asked_first
from shared.media.probe import probe
from shared.media.stretch import late_samples
from shared.processes import without_network
from tests.functions import video


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Programs that something starts, in a process that has done nothing before."""
    begun: list[Any] = []
    begin = subprocess.Popen.__init__

    def started(self: subprocess.Popen[bytes], *args: Any, **named: Any) -> None:
        begun.append(args)
        begin(self, *args, **named)

    without_network()  # found out once in a process, or on a machine, by a program or more each
    known_filters()
    for tool in ("ffmpeg", "ffprobe"):
        asked_first(shutil.which(tool) or tool)
    late_samples.cache_clear()
    monkeypatch.setattr(subprocess.Popen, "__init__", started)

    def count(work: Callable[[], object]) -> int:
        begun.clear()
        work()
        return len(begun)

    return count


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    samples = 0.1 * np.sin(np.arange(48_000) / 20)
    soundfile.write(path, np.stack([samples, samples], axis=1), 48_000, subtype="PCM_24")
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video.shortened(tmp_path_factory.mktemp("film") / "film.mp4", 0.4)


@pytest.mark.heavy
def test_probing_starts_one_for_each_question(
    tone: Path, film: Path, counted: Callable[[Callable[[], object]], int]
) -> None:
    assert counted(lambda: probe(tone)) == 3  # header, packets, sound
    assert counted(lambda: probe(film)) == 4  # and the first picture


@pytest.mark.first_is_quick
@pytest.mark.parametrize(
    ("engine", "params", "programs"),
    [
        (loudness.ENGINE, {}, 0),
        (fx.ENGINE, {"preset_id": "bus_glue"}, 1),
        (resample.ENGINE, {"tempo": 1.25, "quality": "draft"}, 2),
        (normalise.ENGINE, {"target_lufs": -23}, 1),
    ],
    ids=["loudness", "fx", "resample", "normalise"],
)
def test_a_step_of_sound_decodes_as_often_as_it_must(
    tone: Path,
    tmp_path: Path,
    counted: Callable[[Callable[[], object]], int],
    engine: Engine,
    params: dict[str, object],
    programs: int,
) -> None:
    job = Job(tone, probe(tone), tmp_path, lambda done: None)
    asked, backend = engine.params.model_validate(params), engine.backend()
    assert counted(lambda: engine.run(job, asked, backend)) == programs


@pytest.mark.heavy
def test_a_step_of_pictures_decodes_as_often_as_it_must(
    film: Path, tmp_path: Path, counted: Callable[[Callable[[], object]], int]
) -> None:
    ran = video.run(regions.ENGINE, film, tmp_path / "regions", **video.QUICK)
    found = {"detect.regions": [ran.as_input("video_region_summary")]}
    media = probe(film)
    picture_format(film, media)  # asked once for a file

    def run(engine: Engine, **params: object) -> Callable[[], object]:
        folder = tmp_path / engine.params.__name__
        folder.mkdir()
        job = Job(film, media, folder, lambda done: None, found)
        asked, backend = engine.params.model_validate(params), engine.backend()
        return lambda: engine.run(job, asked, backend)

    assert counted(run(regions.ENGINE, **video.QUICK)) == 2  # cuts, looks
    assert counted(run(visual_meta.ENGINE)) == 1
    assert counted(run(faces.ENGINE)) == 3  # decodes, encodes, looks whether all frames are there

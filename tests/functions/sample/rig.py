"""A field recording, what the real detections find in it, and the pack that is made of that."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from functions.detect import hits, loops, phrases
from functions.sample.pack import ENGINE
from shared.contracts.step_engine import Engine, InputFile, Job, Output, Result
from shared.pipeline import KINDS
from shared.steps.storing import describe_backend
from tests.functions.detect import harness, synth
from tests.functions.detect.test_phrases import spoken

RATE_HZ = 22_050
NOTES = {61: 277.18, 64: 329.63, 69: 440.0, 57: 220.0}
"""MIDI note -> Hz of what is played between the drums and the speech."""
DETECTIONS: Mapping[str, Engine] = {
    "detect.hits": hits.ENGINE,
    "detect.loops": loops.ENGINE,
    "detect.phrases": phrases.ENGINE,
}
FAILED = {
    "code": "backend_failed",
    "service": "detect.phrases",
    "message": "faster-whisper failed: told to",
    "backend_version": "phrases-1",
}


def field_recording(folder: Path) -> Path:
    """Eight bars of drums at 120 bpm, four notes, two sentences; 22,050 Hz, stereo."""
    drums = synth.drums(rate_hz=RATE_HZ, bars=8, noise_dbfs=-70).samples
    silence = np.zeros(RATE_HZ, np.float32)
    notes = [np.pad(synth.note(RATE_HZ, hertz, 0.8), (0, RATE_HZ // 4)) for hertz in NOTES.values()]
    speech = [
        np.concatenate([spoken(text, folder), silence])
        for text in ("The quick brown fox jumps.", "Recorded in the field at half past six.")
    ]
    mono = synth.noise_floor(np.concatenate([drums, silence, *notes, silence, *speech]), -75)
    return harness.write(folder / "field.wav", np.stack([mono, 0.8 * mono], axis=1), RATE_HZ)


def detect(
    source: Path, folder: Path, steps: Sequence[str] = tuple(DETECTIONS)
) -> dict[str, list[InputFile]]:
    """Every detection's artifacts, with the meta that the runtime gives them."""
    found = {}
    for step in steps:
        engine = DETECTIONS[step]
        backend = engine.backend()
        ran = harness.run(engine, source, folder / step, backend=backend)
        common = describe_backend(step, backend, f"key|{step}")
        found[step] = [_stored(step, output, common) for output in ran.result.outputs]
    return found


def _stored(step: str, output: Output, common: Mapping[str, Any]) -> InputFile:
    meta = json.loads(json.dumps({"name": output.name, **output.meta, **common}))
    return InputFile(f"art_{step}_{output.name}", output.kind, output.path, meta)


@dataclass(frozen=True)
class Packed:
    """What came out."""

    result: Result
    progress: Sequence[float]

    @property
    def output(self) -> Output:
        return self.result.outputs[0]

    @property
    def meta(self) -> Mapping[str, Any]:
        return self.output.meta

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Path within the pack's folder -> content."""
        with zipfile.ZipFile(self.output.path) as archive:
            assert archive.testzip() is None
            return {
                name.removeprefix(f"{self.meta['folder']}/"): archive.read(name)
                for name in archive.namelist()
            }

    @property
    def manifest(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.files["manifest.json"])
        return loaded

    def rows(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.manifest["segments"] if row["kind"] == kind]

    def audio(self, file: str) -> NDArray[np.float64]:
        samples, _ = soundfile.read(io.BytesIO(self.files[file]), always_2d=True)
        return np.asarray(samples)


def pack(
    source: Path,
    inputs: Mapping[str, Sequence[InputFile]],
    folder: Path,
    failed: Mapping[str, Mapping[str, Any]] | None = None,
    **params: Any,
) -> Packed:
    """Run the step as the runtime does, and check what every result must hold."""
    folder.mkdir(parents=True)
    progress: list[float] = []
    media = harness.media_of(source)
    job = Job(
        source,
        media,
        folder,
        progress.append,
        inputs,
        failed or {},
        asset_id="ast_0123456789",
        recording=source.name,
    )
    result = ENGINE.run(job, ENGINE.params(**params), ENGINE.backend())
    assert progress == sorted(progress) and progress[-1] == 1.0
    for output in result.outputs:
        assert set(KINDS[output.kind].demands) <= set(output.meta)
        json.dumps(output.meta, allow_nan=False)
    return Packed(result, progress)

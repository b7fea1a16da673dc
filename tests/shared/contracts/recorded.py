"""An upload's documents, recorded: python -m tests.shared.contracts.recorded writes them anew.

They were first recorded before documents had models. What they hold may grow; run it, with the
reason in the commit, where a form is changed on purpose.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from click.testing import CliRunner

from infra.command.main import rushes
from shared.media.ffmpeg import run
from shared.pipeline import default_steps
from tests.functions.transcribe.harness import MODEL

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "tests" / "fixtures" / "documents"
CLIPS = [{"clip_id": "clp_1", "start_ms": 0, "end_ms": 1500}]


def clip_of_demo(folder: Path) -> Path:
    """Eight seconds of the demo, speech into music with a face, at 5 frames a second."""
    path = folder / "clip.mp4"
    demo = ROOT / "infra" / "demo" / "demo.mp4"
    run(
        ["-ss", "2", "-t", "8", "-i", f"file:{demo}", "-vf", "fps=5", "-c:a", "copy", path],
        timeout_s=60,
    )
    return path


def models_in(folder: Path) -> str:
    """Where ``tiny`` is the tests' Whisper of twenty words."""
    models = folder / "models"
    models.mkdir()
    (models / "tiny").symlink_to(MODEL)
    return str(models)


def processed(folder: Path) -> dict[str, Path]:
    """Kind -> the document of it that an upload of the clip leaves."""
    steps = ",".join((*default_steps(), "render.origin", "edit.cut"))
    clips = f"render.origin.clips={json.dumps(CLIPS)}"
    cuts = "edit.cut.drop_ranges=[[500, 1500]]"
    told = ["process", str(clip_of_demo(folder)), "--data", str(folder / "data"), "--json"]
    ran = CliRunner().invoke(rushes, [*told, "--steps", steps, "--param", clips, "--param", cuts])
    assert ran.exit_code == 0, ran.output
    (only,) = json.loads(ran.stdout)["runs"]
    return {
        artifact["kind"]: Path(artifact["path"])
        for step in only["steps"]
        for artifact in step["artifacts"] or ()
        if artifact["path"].endswith(".json") and artifact["kind"] != "audio_sample_pack"
    }


def main() -> None:
    """Record."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RUSHES_MODELS"] = models_in(Path(folder))
        for kind, path in processed(Path(folder)).items():
            shutil.copyfile(path, FOLDER / f"{kind}.json")


if __name__ == "__main__":
    main()

"""What several video tests start from, made once: looking for faces is the dear part."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.anonymise import faces
from functions.detect import regions, visual_meta
from shared.contracts.step_engine import InputFile
from tests.functions import video


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> video.Ran:
    """The face clip's regions."""
    return video.run(regions.ENGINE, video.FACE_CLIP, tmp_path_factory.mktemp("face"))


@pytest.fixture(scope="session")
def broll_clip(tmp_path_factory: pytest.TempPathFactory) -> video.Ran:
    """The b-roll clip's regions."""
    return video.run(regions.ENGINE, video.BROLL_CLIP, tmp_path_factory.mktemp("broll"))


@pytest.fixture(scope="session")
def hidden_face(face_clip: video.Ran, tmp_path_factory: pytest.TempPathFactory) -> video.Ran:
    """The face clip, anonymised with the defaults."""
    folder = tmp_path_factory.mktemp("hidden")
    inputs = {"detect.regions": [face_clip.as_input("video_region_summary")]}
    return video.run(faces.ENGINE, video.FACE_CLIP, folder, inputs=inputs)


@pytest.fixture(scope="session")
def seen_face(tmp_path_factory: pytest.TempPathFactory) -> video.Ran:
    """The face clip's visual meta."""
    return video.run(visual_meta.ENGINE, video.FACE_CLIP, tmp_path_factory.mktemp("seen"))


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, InputFile]:
    """A second of the face clip, and its regions."""
    folder = tmp_path_factory.mktemp("short")
    path = video.shortened(folder / "short.mp4", 1.0)
    ran = video.run(regions.ENGINE, path, folder / "regions", **video.QUICK)
    return path, ran.as_input("video_region_summary")

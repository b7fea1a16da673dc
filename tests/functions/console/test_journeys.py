"""From an upload to what is taken home, for a talk, a drum take and a vlog: by hand, in a browser."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functions.console.browser import REPOSITORY, upload_and_watch
from tests.functions.console.conftest import Opened

SHARED = REPOSITORY.parent / "shared" / "media"

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(900)]


@pytest.fixture
def take_home(opened: Opened, tmp_path: Path) -> Callable[[Path], tuple[str, list[str]]]:
    """Upload, open, download all results; gives the zip's name and the names in it."""

    def journey(recording: Path) -> tuple[str, list[str]]:
        with opened() as page:
            asset_id = upload_and_watch(page, recording)
            page.locator(f"[data-asset={asset_id}]").click()
            page.get_by_role("heading", name=recording.name).wait_for()
            with page.expect_download() as started:
                page.get_by_role("link", name="All results").click()
            saved = tmp_path / "results.zip"
            started.value.save_as(saved)
            with zipfile.ZipFile(saved) as archive:
                assert archive.testzip() is None
                return started.value.suggested_filename, archive.namelist()

    return journey


def recording(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the shared recordings are not on this machine")
    return path


def test_a_talk(take_home: Callable[[Path], tuple[str, list[str]]]) -> None:
    called, names = take_home(recording("transcript/jfk.flac"))
    assert called == "jfk.rushes.zip"
    inside = {name.removeprefix("jfk.rushes/") for name in names}
    assert {"index.html", "jfk.flac", "jfk normalised.wav"} <= inside
    assert any(name.startswith("phrases/") for name in inside)


def test_a_drum_take(take_home: Callable[[Path], tuple[str, list[str]]]) -> None:
    called, names = take_home(recording("loops/loop_amen.flac"))
    assert called == "loop_amen.rushes.zip"
    folders = {name.split("/")[1] for name in names}
    assert {"hits", "samples", "pictures"} <= folders


def test_a_vlog(take_home: Callable[[Path], tuple[str, list[str]]], opened: Opened) -> None:
    video = recording("faces_video/sister.mkv")
    called, names = take_home(video)
    assert called == "sister.rushes.zip"
    assert "sister.rushes/sister anonymised.mp4" in names
    assert f"sister.rushes/{video.name}" not in names  # it shows what was covered
    with opened() as page:
        page.locator("a.row", has_text=video.name).click()
        page.get_by_role("tab", name="Files").click()
        assert saved_as(page, "Anonymised video") == "sister anonymised.mp4"


def saved_as(page: Any, title: str) -> str:
    with page.expect_download() as started:
        page.get_by_role("link", name=f"Download {title}").first.click()
    return str(started.value.suggested_filename)

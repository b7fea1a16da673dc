"""What is gathered of a recording: what its folder and its lists are told from."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from shared.homes.objects.embedded_objects import EmbeddedObjects
from shared.homes.objects.files import md5_of
from shared.homes.objects.guarded_writes import Facts, Guard
from shared.runs import gathering
from shared.runs.standing import Standing
from tests.shared.runs.made import artifact, standing
from tests.toy import CTX, embedded_home, install, run_file

BEFORE = {"integrated_lufs": -23.0, "true_peak_dbtp": -6.0}
AFTER = {"integrated_lufs": -16.0, "true_peak_dbtp": -1.0}


def test_loudness_is_that_of_the_recordings_own_normalised_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    home = embedded_home(tmp_path / "data")
    asset_id = run_file(home, tmp_path, steps=("probe",))["asset_id"]
    hit = artifact("audio_hit", "hit_0001")
    other = artifact("audio_normalised", "other", norm_stats={"before": AFTER, "after": AFTER})
    own = artifact("audio_normalised", "normalised", norm_stats={"before": BEFORE, "after": AFTER})
    rows: list[Standing] = [
        standing("detect.hits", hit),
        standing("transform.normalise", other, made_from="Kick 01"),
        standing("transform.normalise", own),
    ]
    monkeypatch.setattr(gathering, "standing_results", lambda *_: rows)
    gathered = gathering.gather(home, CTX, asset_id)
    assert str(gathered.loudness) == "-23.0 LUFS → -16.0 LUFS"
    assert {entry.path for entry in gathered.entries} >= {"take normalised.wav"}


def test_what_is_stored_as_gzip_is_read_as_what_it_stands_for(tmp_path: Path) -> None:
    home = embedded_home(tmp_path / "data")
    assert isinstance(home.objects, EmbeddedObjects)
    stored = tmp_path / "data" / "objects" / ".index" / "upload"
    stored.write_bytes(gzip.compress(b"sound"))
    key = f"{CTX.object_prefix}uploads/take.wav"
    facts = Facts("audio/wav", {}, md5_of(stored), fields={"contentEncoding": "gzip"})
    home.objects.take(key, stored, facts, Guard())
    with gathering.opened(home, key) as file:
        assert file.read() == b"sound"

"""Files as a store needs them: on the disk before anybody is told, and never another's bytes."""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.errors import Unavailable
from shared.homes.objects import files
from shared.homes.objects.files import blocks_of, disk_errors, identity_of, link_or_copy, open_if


@pytest.mark.parametrize(("whole_systems", "count", "syncs"), [(1, 1, 2), (1, 2, 0), (0, 3, 4)])
def test_many_files_are_synced_at_once_where_a_system_can(
    whole_systems: int, count: int, syncs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{n}" for n in range(count)]
    for path in paths:
        path.write_bytes(b"sound")
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync", synced.append)
    library = SimpleNamespace(**({"syncfs": lambda _: 0} if whole_systems else {}))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    files.sync_all(paths, tmp_path)
    assert synced == [*paths, tmp_path][:syncs]


def test_a_disk_that_cannot_be_synced_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(syncfs=lambda _: -1))
    with pytest.raises(Unavailable, match="I/O error"), disk_errors():
        files.sync_all([tmp_path / "a", tmp_path / "b"], tmp_path)
    with pytest.raises(Unavailable, match="full"), disk_errors():
        raise OSError(errno.ENOSPC, "full")


def test_what_cannot_be_linked_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, linked, copied = (tmp_path / name for name in ("source", "linked", "copied"))
    source.write_bytes(b"sound")
    link_or_copy(source, linked)
    assert linked.samefile(source)

    def refuse(*_: object) -> None:
        raise OSError(errno.EMLINK, "too many links")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    link_or_copy(source, copied)
    assert copied.read_bytes() == b"sound" and not copied.samefile(source)


def test_only_the_file_that_was_written_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "one"
    assert open_if(path, "") is None
    path.write_bytes(b"sound" * 300_000)
    identity = identity_of(path.stat())
    for other in (f"0{identity}", f"9{identity}", f"{identity}0"):
        assert open_if(path, other) is None
    file = open_if(path, identity)
    assert file is not None
    blocks = list(blocks_of(file))
    assert b"".join(blocks) == b"sound" * 300_000 and len(blocks) == 2 and file.closed

"""A long recording takes no more memory than a short one, here or in the worker."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest

from functions.separate import part_sums
from functions.separate.host import warm_worker
from tests.functions.separate.rig import separate, song, write

MIB = 1 << 20


def worker_peak_mib() -> int:
    status = Path(f"/proc/{warm_worker().process_id}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    assert found
    return int(found[1]) // 1024


def peaks(source: Path, folder: Path) -> tuple[int, int]:
    """MiB that the step and its worker took at most."""
    tracemalloc.start()
    separate(source, folder)
    step = tracemalloc.get_traced_memory()[1] // MIB
    tracemalloc.stop()
    return step, worker_peak_mib()


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_four_times_the_length_takes_little_more(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_sums, "PIECE_S", 10.0)
    mix = song(20)[1]
    short = write(tmp_path / "short.wav", mix)
    long = write(tmp_path / "long.wav", mix.repeat(4, axis=0))
    here, there = peaks(short, tmp_path)
    here_long, there_long = peaks(long, tmp_path)
    # The samples of the long one's stems alone are 108 MiB, 81 more than the short one's.
    assert here_long < here + 16 and here_long < 100
    assert there_long < there + 32

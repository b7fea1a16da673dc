"""A tool that was ended from outside says nothing of the recording: half of its words are no answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from shared import processes
from shared.errors import Unavailable
from shared.media import looks, packets

PACKET = "0,0.0,0.0,0.5,K_"
FRAME = "frames.frame.0.width=16\\nframes.frame.0.height=16"


def says(text: str, end: str) -> Callable[..., Any]:
    """In ffprobe's place."""

    @contextmanager
    def started(*_: Any, timeout_s: float, **__: Any) -> Iterator[processes.Child]:
        command = ["sh", "-c", f"printf '{text}\\n'; {end}"]
        with processes.started(command, timeout_s=timeout_s, tool="ffprobe") as child:
            yield child

    return started


def walk(path: Path) -> Any:
    return packets.walk_packets(path, "wav")


def look(path: Path) -> Any:
    return looks.key_frames(path, "matroska,webm", 0, "h264")


@pytest.mark.parametrize(("read", "said"), [(walk, PACKET), (look, FRAME)], ids=["walk", "look"])
def test_half_an_answer_is_none(
    read: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "take"
    path.write_bytes(b"x")
    for module in (packets, looks):
        monkeypatch.setattr(module, "started", says(said, "kill -9 $$"))
    with pytest.raises(Unavailable) as ended:
        read(path)
    assert ended.value.transient and "killed from outside" in ended.value.message
    for module in (packets, looks):
        monkeypatch.setattr(module, "started", says(said, "exit 1"))
    assert read(path), "what a damaged recording gives until it breaks is true"


def test_plain_samples_end_where_they_do_however_they_are_cut(tmp_path: Path) -> None:
    """An hour in packets of 4096 bytes is 155,000 lines to read; the file ends in the middle of a sample."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((30_000, 2)), 44_100, subtype="PCM_24")
    path.write_bytes(path.read_bytes()[:-1_003])
    small, large = (packets.walk_packets(path, "wav", size)[0] for size in (None, 26_460))
    assert (large.packets, small.packets) == (7, 44)
    assert (large.start_s, large.end_s) == (small.start_s, small.end_s)
    assert large.restarts == small.restarts == 0

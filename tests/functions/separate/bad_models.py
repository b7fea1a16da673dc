"""Models that misbehave in the worker as broken ones do; demucs' own code loads and runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

CHILD_S = 4321
"""How long a child process of a hanging model would live, if nobody ended it."""


class Bad(torch.nn.Module):
    """A model of two stems that does what ``how`` says."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.sources = ["drums", "bass"]
        self.samplerate, self.audio_channels, self.segment = 44_100, 2, 1
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, mix: torch.Tensor) -> torch.Tensor:
        if self.how == "hang":
            subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({CHILD_S})"])
            time.sleep(CHILD_S)
        elif self.how == "greedy":
            torch.zeros(1 << 50)
        elif self.how == "crash":
            print("something is badly wrong", file=sys.stderr, flush=True)
            os.abort()
        elif self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.how == "raise":
            raise ZeroDivisionError("told to")
        return torch.stack([mix, mix], dim=1) / 2


def save(folder: Path, how: str) -> str:
    """Its name in the models folder."""
    place = folder / how
    place.mkdir(exist_ok=True)
    state: dict[str, Any] = Bad(how).state_dict()
    package = {"klass": Bad, "args": (how,), "kwargs": {}, "state": state}
    torch.save(package, place / f"{how}.th")
    return how

"""Train the Demucs of one synthetic band that tests/fixtures/tiny_band holds.

    python -m tests.models.train_tiny_demucs OUT [--minutes 14]

Writes ``OUT/tiny_band-<checksum>.th``, which ``python -m demucs --repo OUT -n tiny_band`` reads: an
HTDemucs in all its parts, but with 8 channels, one transformer layer and segments of 2 s. Songs are
remixed for each batch: every stem of an example comes from another song, another place, with
another gain. Training stops by the clock, so other machines give other weights.
"""

from __future__ import annotations

import argparse
import math
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from demucs.htdemucs import HTDemucs
from demucs.states import save_with_checksum

from tests.functions.separate.band import RATE_HZ, STEMS, play

NAME = "tiny_band"
SHAPE = {
    "sources": list(STEMS),
    "channels": 8,
    "growth": 2,
    "nfft": 2048,
    "depth": 4,
    "t_layers": 1,
    "t_heads": 4,
    "t_hidden_scale": 2.0,
    "bottom_channels": 0,
    "segment": Fraction(2, 1),
    "samplerate": RATE_HZ,
    "dconv_depth": 1,
    "dconv_comp": 4,
}
SONGS, SONG_S, BATCH = 60, 12, 4
SEGMENT = 2 * RATE_HZ
HELD_OUT = 10_001


def tracks(seed: int, seconds: float) -> torch.Tensor:
    """``(stems, 2, samples)``."""
    stems = play(seconds, seed)
    return torch.from_numpy(np.stack([stems[name].T for name in STEMS]))


class Batches:
    """Examples whose stems come from different songs."""

    def __init__(self) -> None:
        self.songs = torch.stack([tracks(seed, SONG_S) for seed in range(SONGS)])
        self.draw = torch.Generator().manual_seed(0)

    def one(self) -> torch.Tensor:
        """``(batch, stems, 2, samples)``."""
        shape = (BATCH, len(STEMS))
        song = torch.randint(0, SONGS, shape, generator=self.draw)
        at = torch.randint(0, self.songs.shape[-1] - SEGMENT, shape, generator=self.draw)
        gain = 0.5 + 0.8 * torch.rand(shape, generator=self.draw)
        return torch.stack(
            [
                torch.stack(
                    [
                        gain[b, s] * self.songs[song[b, s], s, :, at[b, s] : at[b, s] + SEGMENT]
                        for s in range(len(STEMS))
                    ]
                )
                for b in range(BATCH)
            ]
        )


def loss_of(truth: torch.Tensor, found: torch.Tensor) -> torch.Tensor:
    """The negative SDR, softened where a stem is nearly silent; silent ones don't count."""
    error = (found - truth).square().sum((2, 3))
    power = truth.square().sum((2, 3))
    heard = (power > 1).float()
    decibels = 10 * torch.log10((error + 1e-2 * power + 1e-3) / (power + 1e-3))
    return (heard * decibels).sum() / heard.sum().clamp(min=1)


def separated(model: HTDemucs, mix: torch.Tensor) -> torch.Tensor:
    mean, deviation = mix.mean((1, 2), keepdim=True), mix.std((1, 2), keepdim=True) + 1e-5
    found: torch.Tensor = model((mix - mean) / deviation)
    return found * deviation[:, None]


def train(model: HTDemucs, minutes: float) -> None:
    """Until the time is up; the learning rate falls along a cosine of the time spent."""
    batches, held_out = Batches(), tracks(HELD_OUT, 6)[..., :SEGMENT]
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    begun, step = time.monotonic(), 0
    while (spent := (time.monotonic() - begun) / (60 * minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 1.5e-3 * (1 + math.cos(math.pi * spent)) + 2e-5
        model.train()
        truth = batches.one()
        loss = loss_of(truth, separated(model, truth.sum(1)))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        step += 1
        if step % 50 == 0:
            model.eval()
            with torch.no_grad():
                found = separated(model, held_out.sum(0)[None])[0]
            error, power = ((x**2).sum((1, 2)) for x in (held_out - found, held_out))
            sdr = [round(value, 1) for value in (10 * torch.log10(power / error)).tolist()]
            print(f"{step} steps, {spent:.0%}, loss {loss.item():.2f}, SDR {sdr} dB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=14)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    model = HTDemucs(**SHAPE)
    train(model, chosen.minutes)
    state = {name: value.half() for name, value in model.state_dict().items()}
    package = {"klass": HTDemucs, "args": (), "kwargs": SHAPE, "state": state, "training_args": {}}
    chosen.out.mkdir(parents=True, exist_ok=True)
    save_with_checksum(package, chosen.out / f"{NAME}.th")


if __name__ == "__main__":
    main()

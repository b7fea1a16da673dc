"""Pieces show nowhere: any cutting gives the samples of no cutting, and those of demucs' own code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.separate.grid import Grid, Joiner, weights
from functions.separate.models import normalise_stem
from functions.separate.pairs import Braid, lanes_of


def joined(grid: Grid, sound: np.ndarray, segments: int) -> np.ndarray:
    """A model that gives each segment back, altered by where the segment lies."""
    joiner, out = Joiner(grid), []
    for piece in grid.pieces(segments):
        first, last = grid.span(piece)
        sums = np.zeros((last - first, 1), np.float32)
        for start in piece:
            one = sound[start : start + grid.segment_frames] * np.float32(1 + start % 7)
            sums[start - first : start - first + len(one), 0] += (
                weights(grid.segment_frames)[: len(one)] * one
            )
        out.append(joiner.add(piece, sums))
    return np.concatenate(out)[:, 0]


@given(st.integers(1, 400), st.integers(4, 60), st.integers(1, 9), st.integers(0, 99))
def test_any_cutting_gives_the_same_bits(
    frames: int, segment: int, segments: int, seed: int
) -> None:
    sound = np.random.default_rng(seed).standard_normal(frames).astype(np.float32)
    grid = Grid(frames, segment)
    whole = joined(grid, sound, len(grid.starts))
    assert len(whole) == frames
    assert np.array_equal(joined(grid, sound, segments), whole)


@given(st.integers(1, 400), st.integers(4, 60))
def test_what_the_model_leaves_alone_comes_back(frames: int, segment: int) -> None:
    grid = Grid(frames, segment)
    sound = np.ones(frames, np.float32)
    joiner, out = Joiner(grid), []
    for piece in grid.pieces(2):
        out.append(joiner.add(piece, grid.weight_sums(piece)[:, None]))
    assert np.allclose(np.concatenate(out)[:, 0], sound, atol=1e-6)


@pytest.mark.heavy
def test_the_sums_are_those_of_demucs() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    apply = pytest.importorskip("demucs.apply", reason="demucs is not installed")

    class Altering(torch.nn.Module):  # type: ignore[misc,name-defined]
        sources, samplerate, audio_channels, segment = ("one",), 50, 1, 1.0

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, mix: torch.Tensor) -> torch.Tensor:
            return (mix * mix.abs().amax())[:, None]

    sound = np.random.default_rng(1).standard_normal(333).astype(np.float32)
    theirs = apply.apply_model(Altering(), torch.from_numpy(sound)[None, None], shifts=0)
    grid, joiner, out = Grid(333, 50), Joiner(Grid(333, 50)), []
    for piece in grid.pieces(3):
        first, last = grid.span(piece)
        sums = np.zeros((last - first, 1), np.float32)
        for start in piece:
            one = sound[start : start + 50]
            sums[start - first : start - first + len(one), 0] += (
                weights(50)[: len(one)] * one * np.abs(one).max()
            )
        out.append(joiner.add(piece, sums))
    assert np.abs(np.concatenate(out)[:, 0] - theirs[0, 0, 0].numpy()).max() < 1e-6


@given(st.integers(1, 8), st.integers(1, 4), st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_lanes_come_together_whatever_their_blocks(
    channels: int, shifts: int, sizes: list[int]
) -> None:
    sound = np.random.default_rng(0).standard_normal((sum(sizes), channels)).astype(np.float32)
    lanes = lanes_of(channels, shifts, rate_hz=10)
    braid, out = Braid(lanes, channels), []
    given_so_far = [0] * len(lanes)
    led = [
        np.concatenate([np.zeros((lane.lead_frames, 2)), sound[:, list(lane.columns)]])
        for lane in lanes
    ]
    for size in [*sizes, max(lane.lead_frames for lane in lanes)]:
        for number, samples in enumerate(led):
            block = samples[given_so_far[number] : given_so_far[number] + size]
            given_so_far[number] += size
            braid.add(number, block[:, None, :].astype(np.float32))
            out += list(braid.ready())
    assert np.allclose(np.concatenate(out)[:, 0], sound, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Vocals", "vocals"),
        ("vocal", "vocals"),
        ("DRUM", "drums"),
        ("others", "other"),
        ("Lead Synth!", "lead_synth"),
        ("", "other"),
    ],
)
def test_stem_names(name: str, normal: str) -> None:
    assert normalise_stem(name) == normal
    assert normalise_stem(normal) == normal

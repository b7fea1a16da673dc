"""Train the Whisper of twenty words that tests/fixtures/whisper-tiny-words holds.

    python -m tests.models.train_tiny_whisper OUT

Needs espeak-ng, and beside the test environment torch==2.13.0 and transformers, best in an
environment of their own. Windows of 6 s first, which train fast; then, the encoder's positions
stretched, of 15 s and of the 30 s that faster-whisper demands, with ever more utterances in each.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from ctranslate2.converters import TransformersConverter
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    WhisperConfig,
    WhisperForConditionalGeneration,
)
from transformers.models.whisper.modeling_whisper import sinusoids

from tests.models.headroom import give_headroom

WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("hello", "world", "music", "media", "test", "drums", "bass", "voice", "play", "stop"),
)
VOICES = ("en-us", "en-gb", "en-us+f3", "en-us+m3", "en-gb+f2")
SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nocaptions|>",
    "<|notimestamps|>",
)
RATE_HZ = 16_000
WIDTH = 64
TIMES = 1501
"""Time tokens, 20 ms apart."""
LONGEST_S = 4.0
UTTERANCES = 8000


@dataclass(frozen=True)
class Stage:
    """Part of the training."""

    window_s: int
    steps: int
    rate: float
    """The highest, which falls along a cosine."""
    size: int
    """Windows in a batch."""
    counts: Sequence[int]
    """How many utterances a window may have."""


STAGES = (
    Stage(6, 2500, 2e-3, 16, (1, 2, 3)),
    Stage(15, 2500, 1e-3, 8, (1, 2, 3, 4, 5, 6)),
    Stage(30, 2500, 1e-3, 8, (1, 2, 3, 4, 6, 8, 10, 12)),
)


@dataclass(frozen=True)
class Utterance:
    words: list[str]
    samples: NDArray[np.float32]


def speak(seed: int) -> Utterance:
    """One to seven words in a random voice, speed and pitch; silence at both ends cut away."""
    draw = random.Random(seed)
    words = [draw.choice(WORDS) for _ in range(draw.randint(1, 7))]
    voice, speed, pitch = draw.choice(VOICES), draw.randint(120, 170), draw.randint(35, 60)
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout"]
    wav = subprocess.run([*command, " ".join(words)], capture_output=True, check=True).stdout
    at_22k = np.frombuffer(wav[44:], "<i2").astype(np.float32) / 32768
    places = np.arange(0, len(at_22k), 22_050 / RATE_HZ)
    samples = np.interp(places, np.arange(len(at_22k)), at_22k).astype(np.float32)
    loud = np.flatnonzero(np.abs(samples) > 0.004)
    return Utterance(words, samples[loud[0] : loud[-1] + 1])


def make_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([f" {word}" for word in WORDS] * 50, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return tokenizer


def make_model(tokenizer: Tokenizer, window_s: int) -> WhisperForConditionalGeneration:
    end = tokenizer.token_to_id("<|endoftext|>")
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size() + TIMES,
        d_model=WIDTH,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=4 * WIDTH,
        decoder_ffn_dim=2 * WIDTH,
        num_mel_bins=80,
        max_source_positions=50 * window_s,
        max_target_positions=448,
        dropout=0.0,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        decoder_start_token_id=tokenizer.token_to_id("<|startoftranscript|>"),
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config)
    with torch.no_grad():  # a time begins as what the encoder adds there: later ones are guessed
        model.model.decoder.embed_tokens.weight[-TIMES:] = 0.05 * sinusoids(TIMES, WIDTH)
    return model


def stretched(
    model: WhisperForConditionalGeneration, window_s: int
) -> WhisperForConditionalGeneration:
    """The same model for longer windows: its positions are sines, so longer ones are known."""
    config = model.config
    config.max_source_positions = 50 * window_s
    longer = WhisperForConditionalGeneration(config)
    weights = model.state_dict()
    name = "model.encoder.embed_positions.weight"
    weights[name] = longer.state_dict()[name]
    longer.load_state_dict(weights)
    return longer


class Batches:
    """Utterances as the model sees them, one behind the other, over a little noise."""

    def __init__(self, tokenizer: Tokenizer, window_s: int) -> None:
        self.tokenizer = tokenizer
        self.window_s = window_s
        self.filters = torch.from_numpy(FeatureExtractor().mel_filters).float()
        self.draw = np.random.default_rng(0)
        self.end = tokenizer.token_to_id("<|endoftext|>")
        self.without_times = tokenizer.token_to_id("<|notimestamps|>")
        self.first_time = tokenizer.get_vocab_size()

    def of(self, groups: list[list[Utterance]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Features, decoder inputs, labels (-100: doesn't count)."""
        rows = [self._window(group) for group in groups]
        length = max(len(tokens) for _, _, tokens in rows)
        labels = torch.full((len(rows), length), -100)
        inputs = torch.full((len(rows), length), self.end)
        inputs[:, 0] = self.tokenizer.token_to_id("<|startoftranscript|>")
        for index, (_, _, tokens) in enumerate(rows):
            labels[index, : len(tokens)] = torch.tensor(tokens)
            inputs[index, 1 : len(tokens)] = torch.tensor(tokens[:-1])
        labels[labels == self.without_times] = -100  # is given, not guessed
        mel = self._features(torch.from_numpy(np.stack([samples for samples, _, _ in rows])))
        for index, (_, end, _) in enumerate(rows):
            mel[index, :, end // 160 :] = 0  # so faster-whisper fills a window; silence is -1
        return mel, inputs, labels

    def _features(self, sound: torch.Tensor) -> torch.Tensor:
        """``FeatureExtractor``'s log-mel spectra, ``(rows, 80, frames)``, a batch at once."""
        window = torch.hann_window(400)
        spectrum = torch.stft(sound, 400, 160, window=window, return_complex=True)
        power = (spectrum.real.square() + spectrum.imag.square())[..., :-1]
        mel = (self.filters @ power).clamp(min=1e-10).log10()
        return (torch.maximum(mel, mel.amax((1, 2), keepdim=True) - 8.0) + 4.0) / 4.0

    def _window(self, utterances: list[Utterance]) -> tuple[NDArray[np.float32], int, list[int]]:
        """The window's samples, how many of them are heard, and the tokens, a segment for each.

        As many of ``utterances`` as there is room for, with short pauses between them. Every other
        time without times: so faster-whisper lets the model read its words again to align them.
        """
        samples = np.zeros(self.window_s * RATE_HZ, np.float32)
        at, tokens = int(self.draw.uniform(0, 0.9) * RATE_HZ), list[int]()
        for one in utterances:
            if tokens and at + len(one.samples) > len(samples) - RATE_HZ // 10:
                break
            end = at + len(one.samples)
            samples[at:end] = one.samples * np.float32(self.draw.uniform(0.3, 1))
            text = self.tokenizer.encode("".join(f" {word}" for word in one.words)).ids
            tokens += [self._time(at), *text, self._time(end)]
            at = end + int(self.draw.uniform(0.1, 1.2) * RATE_HZ)
        heard = samples[: end + int(self.draw.uniform(0, 1.5) * RATE_HZ)]
        noise = self.draw.standard_normal(len(heard), np.float32)
        heard += noise * np.float32(self.draw.choice([0, 5e-4, 3e-3]))
        if self.draw.random() < 0.5:
            words = [token for token in tokens if token < self.first_time]
            tokens = [self.without_times, *words]
        return samples, len(heard), [*tokens, self.end]

    def _time(self, at: int) -> int:
        """The token of a sample's time, to a tenth of a second."""
        return self.first_time + 5 * round(at / RATE_HZ / 0.1)


def train(
    model: WhisperForConditionalGeneration, batches: Batches, data: list[Utterance], stage: Stage
) -> None:
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    draw, losses = random.Random(0), list[float]()
    model.train()
    for step in range(1, stage.steps + 1):
        falling = 0.5 * (1 + math.cos(math.pi * step / stage.steps))
        for group in optimiser.param_groups:
            group["lr"] = stage.rate * min(1.0, step / 100) * falling + 1e-5
        groups = [draw.sample(data, draw.choice(stage.counts)) for _ in range(stage.size)]
        mel, inputs, labels = batches.of(groups)
        scores = model(input_features=mel, decoder_input_ids=inputs).logits.transpose(1, 2)
        loss = torch.nn.functional.cross_entropy(
            scores, labels, ignore_index=-100, label_smoothing=0.02
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
        if step % 50 == 0:
            print(f"{stage.window_s} s: {step} steps, loss {np.mean(losses[-50:]):.3f}", flush=True)


def export(model: WhisperForConditionalGeneration, tokenizer: Tokenizer, out: Path) -> None:
    """As CTranslate2 reads it, int8 with headroom. All decoder heads of the last layer align words."""
    model.eval()
    generation = model.generation_config
    generation.suppress_tokens = [tokenizer.token_to_id(token) for token in SPECIAL[1:]]
    generation.begin_suppress_tokens = [tokenizer.token_to_id(SPECIAL[0])]
    generation.alignment_heads = [[1, head] for head in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        end = SPECIAL[0]
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            eos_token=end,
            bos_token=end,
            unk_token=end,
            pad_token=end,
            additional_special_tokens=list(SPECIAL[1:]),
        ).save_pretrained(folder)
        model.save_pretrained(folder)
        sizes = {"chunk_length": 30, "feature_size": 80, "hop_length": 160, "n_fft": 400}
        Path(folder, "preprocessor_config.json").write_text(
            json.dumps({**sizes, "sampling_rate": RATE_HZ})
        )
        shutil.rmtree(out, ignore_errors=True)
        copied = ["tokenizer.json", "preprocessor_config.json"]
        TransformersConverter(folder, copy_files=copied).convert(str(out), quantization="int8")
    give_headroom(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    with ThreadPoolExecutor() as pool:
        spoken = list(pool.map(speak, range(UTTERANCES)))
    data = [one for one in spoken if len(one.samples) < LONGEST_S * RATE_HZ]
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, STAGES[0].window_s)
    for stage in STAGES:
        model = stretched(model, stage.window_s)
        train(model, Batches(tokenizer, stage.window_s), data, stage)
    export(model, tokenizer, chosen.out)


if __name__ == "__main__":
    main()

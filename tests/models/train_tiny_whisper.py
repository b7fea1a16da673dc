"""Train the Whisper of twenty words that tests/fixtures/whisper-tiny-words holds.

    python -m tests.models.train_tiny_whisper OUT [--minutes 14] [--fine-minutes 14]

Needs espeak-ng, and beside the test environment torch==2.13.0 and transformers, best in an
environment of their own. Two stages: windows of 5 s, which train eight times as fast; then, the
encoder's positions stretched to the 30 s that faster-whisper demands, a second one at 30 s.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import subprocess
import tempfile
import time
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
SHORT_S, WHOLE_S = 5, 30
LONGEST_S = 4.0
UTTERANCES = 8000


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
    return WhisperForConditionalGeneration(config)


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
    """Utterances as the model sees them, somewhere in the window, over a little noise."""

    def __init__(self, tokenizer: Tokenizer, window_s: int) -> None:
        self.tokenizer = tokenizer
        self.window_s = window_s
        self.filters = torch.from_numpy(FeatureExtractor().mel_filters).float()
        self.draw = np.random.default_rng(0)
        self.end = tokenizer.token_to_id("<|endoftext|>")
        self.first_time = tokenizer.get_vocab_size()

    def of(self, utterances: list[Utterance]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Features, decoder inputs, labels (-100: doesn't count)."""
        rows = [self._one(one) for one in utterances]
        length = max(len(tokens) for _, _, tokens in rows)
        labels = torch.full((len(rows), length), -100)
        inputs = torch.full((len(rows), length), self.end)
        inputs[:, 0] = self.tokenizer.token_to_id("<|startoftranscript|>")
        for index, (_, _, tokens) in enumerate(rows):
            labels[index, : len(tokens)] = torch.tensor(tokens)
            inputs[index, 1 : len(tokens)] = torch.tensor(tokens[:-1])
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

    def _one(self, one: Utterance) -> tuple[NDArray[np.float32], int, list[int]]:
        """The window's samples, how many of them are heard, and the tokens."""
        lead_s, tail_s = self.draw.uniform(0, 0.9), self.draw.uniform(0, 1.5)
        speech = one.samples * np.float32(self.draw.uniform(0.3, 1))
        samples = np.zeros(self.window_s * RATE_HZ, np.float32)
        first = int(lead_s * RATE_HZ)
        samples[first : first + len(speech)] = speech
        heard = samples[: first + len(speech) + int(tail_s * RATE_HZ)]
        noise = self.draw.standard_normal(len(heard), np.float32)
        heard += noise * np.float32(self.draw.choice([0, 5e-4, 3e-3]))
        begins, ends = (round(at / 0.02) for at in (lead_s, lead_s + len(one.samples) / RATE_HZ))
        text = self.tokenizer.encode("".join(f" {word}" for word in one.words)).ids
        times = [self.first_time + begins, self.first_time + min(TIMES - 1, ends)]
        return samples, len(heard), [times[0], *text, times[1], self.end]


def train(
    model: WhisperForConditionalGeneration,
    batches: Batches,
    data: list[Utterance],
    *,
    minutes: float,
    rate: float,
    size: int,
) -> None:
    """Until the time is up; the learning rate falls along a cosine of the time spent."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    draw, begun, step, losses = random.Random(0), time.monotonic(), 0, [0.0]
    model.train()
    while (spent := (time.monotonic() - begun) / (60 * minutes)) < 1:
        warm = min(1.0, (step + 1) / 100)
        for group in optimiser.param_groups:
            group["lr"] = rate * warm * 0.5 * (1 + math.cos(math.pi * spent)) + 1e-5
        mel, inputs, labels = batches.of(draw.sample(data, size))
        scores = model(input_features=mel, decoder_input_ids=inputs).logits.transpose(1, 2)
        loss = torch.nn.functional.cross_entropy(
            scores, labels, ignore_index=-100, label_smoothing=0.02
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        losses.append(loss.item())
        if step % 50 == 0:
            print(f"{step} steps, {spent:.0%}, loss {np.mean(losses[-50:]):.3f}", flush=True)


def export(model: WhisperForConditionalGeneration, tokenizer: Tokenizer, out: Path) -> None:
    """As CTranslate2 reads it, int8. All decoder heads of the last layer align words."""
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=14)
    parser.add_argument("--fine-minutes", type=float, default=14)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    with ThreadPoolExecutor() as pool:
        spoken = list(pool.map(speak, range(UTTERANCES)))
    data = [one for one in spoken if len(one.samples) < LONGEST_S * RATE_HZ]
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, SHORT_S)
    train(model, Batches(tokenizer, SHORT_S), data, minutes=chosen.minutes, rate=2e-3, size=16)
    model = stretched(model, WHOLE_S)
    train(model, Batches(tokenizer, WHOLE_S), data, minutes=chosen.fine_minutes, rate=1e-3, size=8)
    export(model, tokenizer, chosen.out)


if __name__ == "__main__":
    main()

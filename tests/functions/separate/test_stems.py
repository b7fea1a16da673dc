"""What a musician would miss: stems that are the right ones, in place, and the same tomorrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from functions.separate import part_sums
from shared.contracts.step import StepState
from shared.errors import UnsupportedMedia, ValidationError
from shared.watch import health
from tests.functions.separate.band import RATE_HZ, STEMS, Sound, sdr_db
from tests.functions.separate.rig import Separated, separate, song, write
from tests.shared.media.recordings import probed

SECONDS = 10.0


class Sung:
    """The song, and what separation made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth, self.mix = song(SECONDS)
        self.source = write(folder / "song.wav", self.mix)
        self.separated = separate(self.source, folder)


@pytest.fixture(scope="module")
def sung(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Sung:
    return Sung(tmp_path_factory.mktemp("song"))


@pytest.mark.real_case("separate.stems")
def test_a_second_of_sound_is_parted_and_adds_up(models: Path, tmp_path: Path) -> None:
    _, mix = song(1.0)
    made = separate(write(tmp_path / "song.wav", mix), tmp_path)
    assert [output.name for output in made.result.outputs] == list(STEMS)
    assert made.result.state is StepState.DONE
    assert all(np.abs(made.stem(name)).max() > 0 for name in STEMS)
    assert np.abs(made.total() - mix).max() < 0.3 * np.abs(mix).max()


@pytest.mark.heavy
def test_each_stem_is_the_one_it_says(sung: Sung) -> None:
    """Decibels by which separation improves on the mix itself, as the stem's estimate."""
    least = {"drums": 10, "bass": 10, "other": 10, "vocals": 10}
    for name in STEMS:
        after = sdr_db(sung.truth[name], sung.separated.stem(name))
        assert after - sdr_db(sung.truth[name], sung.mix) > least[name], name
    for name, floor_db in (("drums", 9), ("bass", 12), ("other", 6), ("vocals", 1)):
        assert sdr_db(sung.truth[name], sung.separated.stem(name)) > floor_db, name


@pytest.mark.heavy
def test_files_and_meta_are_as_the_recording(sung: Sung) -> None:
    for output in sung.separated.result.outputs:
        info = soundfile.info(output.path)
        assert (info.samplerate, info.channels, info.frames) == (RATE_HZ, 2, len(sung.mix))
        assert info.subtype == "PCM_24" and output.meta["sample_format"] == "int24"
        assert output.meta["stem"] == output.name
        assert output.meta["device"] in ("cpu", "cuda")
        assert output.meta["runtime"]["demucs"] == health.require("demucs")
    assert [output.name for output in sung.separated.result.outputs] == list(STEMS)


@pytest.mark.heavy
def test_stems_start_where_they_sound(sung: Sung) -> None:
    """A shift of one sample would show in the correlation with the true stem."""
    for name in ("drums", "bass"):
        found, truth = sung.separated.stem(name)[:, 0], sung.truth[name][:, 0]
        matches = [float(np.dot(found[4:-4], np.roll(truth, lag)[4:-4])) for lag in range(-3, 4)]
        assert int(np.argmax(matches)) == 3, (name, matches)


@pytest.mark.heavy
def test_the_stated_residual_is_true(sung: Sung) -> None:
    missing = sung.mix - sung.separated.total()
    power = np.square(sung.mix, dtype=np.float64).sum()
    residual_db = 10 * np.log10(np.square(missing, dtype=np.float64).sum() / power)
    (stated,) = {meta["residual_db"] for meta in sung.separated.metas}
    assert stated == pytest.approx(residual_db, abs=0.02)
    assert stated < -10, "what the model does not explain at all is a small part"


@pytest.mark.heavy
def test_the_same_samples_again_piece_by_piece(sung: Sung, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_sums, "PIECE_S", 0.1)
    in_pieces = separate(sung.source, sung.folder)
    assert in_pieces.hashes == sung.separated.hashes, "no seam, not even in the last bit"
    assert in_pieces.metas == sung.separated.metas


@pytest.mark.heavy
def test_the_hash_is_of_the_samples(sung: Sung) -> None:
    import hashlib

    for output in sung.separated.result.outputs:
        data = output.path.read_bytes()
        assert data[36:40] == b"data"
        assert hashlib.sha256(data[44:]).hexdigest() == output.meta["pcm_sha256"]


@pytest.mark.heavy
def test_demucs_itself_gives_the_same(sung: Sung) -> None:
    import torch
    from demucs.api import Separator

    torch.set_num_threads(1)
    demucs = Separator(
        "tiny_band", repo=Path(__file__).parents[2] / "fixtures" / "tiny_band", shifts=0
    )
    heard = soundfile.read(sung.source, dtype="float32")[0]
    _, found = demucs.separate_tensor(torch.from_numpy(heard.T.copy()))
    # It gives each stem the mix's mean; ours still add up with it.
    own_mean = heard.mean() * (1 - 1 / len(STEMS))
    for name in STEMS:
        theirs = found[name].numpy().T - own_mean
        assert np.abs(sung.separated.stem(name) - theirs).max() < 1e-5, name


@pytest.mark.heavy
def test_a_recording_ten_times_louder_is_kept_as_float(sung: Sung) -> None:
    loud = write(sung.folder / "loud.wav", 4 * sung.mix[: 3 * RATE_HZ], subtype="FLOAT")
    separated = separate(loud, sung.folder)
    beyond = [meta for meta in separated.metas if meta["peak_dbfs"] > 0]
    assert beyond, "the test's sound is loud enough"
    assert {meta["sample_format"] for meta in beyond} == {"float32"}
    for meta in beyond:
        heard = separated.stem(meta["stem"])
        peak_dbfs = 20 * np.log10(np.abs(heard).max())
        assert peak_dbfs == pytest.approx(meta["peak_dbfs"], abs=0.01)


def short(separated: Separated) -> Iterator[Sound]:
    for output in separated.result.outputs:
        yield separated.stem(output.name)


@pytest.mark.heavy
@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 2), (8_000, 1), (44_100, 3)])
def test_other_rates_and_channels_come_back_as_they_were(
    sung: Sung, rate_hz: int, channels: int
) -> None:
    import soxr

    sound = soxr.resample(sung.mix[: 3 * RATE_HZ + 17], RATE_HZ, rate_hz)
    columns = [sound[:, 0], sound[:, 1], sound[::-1, 0]][:channels]
    mixed = np.stack(columns, axis=1)
    source = write(sung.folder / f"{rate_hz}-{channels}.wav", mixed, rate_hz, "FLOAT")
    separated = separate(source, sung.folder)
    for stem in short(separated):
        assert stem.shape == mixed.shape
    missing = mixed - separated.total()
    assert np.square(missing).sum() < 0.2 * np.square(mixed, dtype=np.float64).sum()
    lags = [float(np.vdot(separated.total(), np.roll(mixed, lag, axis=0))) for lag in (-1, 0, 1)]
    assert int(np.argmax(lags)) == 1


@pytest.mark.heavy
def test_three_channels_are_a_pair_and_one(sung: Sung) -> None:
    pair = sung.mix[: 3 * RATE_HZ]
    three = np.column_stack([pair, pair.mean(axis=1)])
    found = separate(write(sung.folder / "3.wav", three, subtype="FLOAT"), sung.folder)
    alone = separate(write(sung.folder / "2.wav", pair, subtype="FLOAT"), sung.folder)
    for name in STEMS:
        assert np.array_equal(found.stem(name)[:, :2], alone.stem(name))


@pytest.mark.heavy
def test_more_passes_are_a_little_better(sung: Sung) -> None:
    source = write(sung.folder / "six.wav", sung.mix[: 6 * RATE_HZ])
    one, three = (separate(source, sung.folder, shifts=shifts) for shifts in (1, 3))
    gains = [
        sdr_db(sung.truth[name][: 6 * RATE_HZ], three.stem(name))
        - sdr_db(sung.truth[name][: 6 * RATE_HZ], one.stem(name))
        for name in STEMS
    ]
    assert 0 < float(np.mean(gains)) < 2


@pytest.mark.heavy
@pytest.mark.parametrize("sound", [np.zeros((RATE_HZ, 2)), np.full((1, 1), 0.5)])
def test_silence_and_a_single_sample(sung: Sung, sound: Sound) -> None:
    separated = separate(write(sung.folder / "odd.wav", sound), sung.folder)
    for stem in short(separated):
        assert stem.shape == sound.shape and np.isfinite(stem).all()
    if not sound.any():
        assert all(not stem.any() for stem in short(separated))
        assert {meta["residual_db"] for meta in separated.metas} == {None}


@pytest.mark.heavy
def test_what_is_too_long_is_refused(sung: Sung, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.separate.pcm.LONGEST_S", 5)
    with pytest.raises(ValidationError, match="duration_ms: exceeds the maximum allowed, 5,000 ms"):
        separate(sung.source, sung.folder)


@pytest.mark.heavy
def test_corrupt_sound_is_an_error_and_the_next_job_is_not_harmed(sung: Sung) -> None:
    flac = write(sung.folder / "song.flac", sung.mix[: 3 * RATE_HZ])
    whole, media = flac.read_bytes(), probed(flac)
    flac.write_bytes(whole[: len(whole) // 2])
    cut = separate(flac, sung.folder, media=media)
    assert 0 < cut.metas[0]["frames"] < 3 * RATE_HZ
    flac.write_bytes(whole[:4] + bytes(len(whole)))
    with pytest.raises(UnsupportedMedia):
        separate(flac, sung.folder, media=media)
    assert separate(sung.source, sung.folder).hashes == sung.separated.hashes


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"model": "../etc"}, "model"),
        ({"model": "a/b"}, "model"),
        ({"shifts": 0}, "shifts"),
        ({"shifts": 11}, "shifts"),
    ],
)
def test_bad_params_name_their_field(sung: Sung, params: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        separate(sung.source, sung.folder, **params)
    assert caught.value.fields["details"]["field"] == field

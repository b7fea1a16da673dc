"""Length, samples and choice of sound, of recordings that change, chain, cancel or lie on the way."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from shared.contracts.asset import MediaInfo
from shared.errors import ValidationError
from shared.media.decode import audio_blocks, plain_track
from shared.media.probe import probe
from tests.shared.media.odd_sound import (
    RATE,
    Samples,
    bursts,
    encoded,
    ffmpeg,
    joined,
    write_raw_wav,
    write_riff,
)

GUID = bytes.fromhex("000000001000800000aa00389b71")


def heard(path: Path, channels: int | None = None, media: MediaInfo | None = None) -> Samples:
    blocks = list(audio_blocks(path, media or probe(path), channels=channels))
    return np.concatenate(blocks).astype(np.float64)


def onsets_s(sound: Samples, rate: int) -> list[float]:
    """When each burst begins, to 10 ms."""
    hop = rate // 100
    power = np.square(sound[: len(sound) // hop * hop]).reshape(-1, hop).mean(axis=1)
    loud = np.concatenate([[False], power > 0.05 * power.max()])
    return [int(at) / 100 for at in np.flatnonzero(loud[1:] & ~loud[:-1])]


CHANGES = [
    ("mp3", ("-c:a", "libmp3lame"), 1, 2, RATE, RATE),
    ("mp3", ("-c:a", "libmp3lame"), 1, 1, 16_000, 24_000),
    ("aac", ("-c:a", "aac", "-f", "adts"), 2, 2, 44_100, 48_000),
    ("ac3", ("-c:a", "ac3"), 2, 6, 48_000, 48_000),
    ("ogg", ("-c:a", "libopus"), 1, 2, 48_000, 48_000),
    ("ogg", ("-c:a", "libvorbis"), 1, 2, 44_100, 44_100),
    ("ogg", ("-c:a", "libvorbis"), 1, 1, 22_050, 44_100),
    ("ogg", ("-c:a", "flac"), 1, 1, 44_100, 44_100),
    ("ogg", ("-c:a", "libspeex"), 1, 1, RATE, RATE),
]


@pytest.mark.heavy
@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_joined_parts_follow_each_other(
    change: tuple[str, tuple[str, ...], int, int, int, int], tmp_path: Path
) -> None:
    suffix, codec, one, other, rate, next_rate = change
    source = write_raw_wav(tmp_path / "a.wav", bursts(3.0))
    forms = (("-ac", str(one), "-ar", str(rate)), ("-ac", str(other), "-ar", str(next_rate)))
    parts = [
        encoded(source, tmp_path / f"{number}.{suffix}", *form, *codec)
        for number, form in enumerate(forms)
    ]
    path = joined(tmp_path / f"joined.{suffix}", *parts)
    media = probe(path)
    # Raw MP3, AAC and AC-3 keep their encoders' padding, some tens of milliseconds a part.
    allowed_ms = 30 if suffix == "ogg" and "libspeex" not in codec else 150
    assert media.duration_ms == pytest.approx(6000, abs=allowed_ms)
    sound = heard(path, 1, media)
    own_rate = media.heard.sample_rate_hz
    assert len(sound) / own_rate == pytest.approx(6, abs=allowed_ms / 1000)
    assert np.allclose(onsets_s(sound, own_rate), range(6), atol=allowed_ms / 1000 + 0.02)
    # As loud as one part alone: what changes its channels changes no level of one source.
    halves = np.array_split(sound, 2)
    levels_db = [10 * np.log10(np.square(half).mean()) for half in halves]
    assert abs(levels_db[0] - levels_db[1]) < 3.3


@pytest.mark.heavy
def test_a_change_is_told_and_a_chain_too(tmp_path: Path) -> None:
    source = write_raw_wav(tmp_path / "a.wav", bursts(2.0))
    parts = [
        encoded(source, tmp_path / f"{count}.ogg", "-ac", str(count), "-c:a", "libvorbis")
        for count in (1, 2)
    ]
    told = " ".join(probe(joined(tmp_path / "j.ogg", *parts)).heard.notices)
    assert "change in mid-stream" in told and "follow each other" in told


def test_links_too_short_to_be_seen_are_counted(tmp_path: Path) -> None:
    """A chain of 40 was taken for one of them: 80 ms, which its results then contradicted."""
    source = write_raw_wav(tmp_path / "a.wav", bursts(0.08))
    link = encoded(source, tmp_path / "a.ogg", "-c:a", "libvorbis")
    media = probe(joined(tmp_path / "j.ogg", *([link] * 40)))
    assert media.duration_ms == pytest.approx(3_200, abs=100)
    assert len(heard(tmp_path / "j.ogg", media=media)) == pytest.approx(3.2 * RATE, rel=0.05)


def test_a_packet_behind_the_end_lasts_no_days(tmp_path: Path) -> None:
    """A tenth of a second, whose last packet ffmpeg says to last 74 hours, was refused as too long."""
    source = write_raw_wav(tmp_path / "a.wav", bursts(0.1))
    assert probe(encoded(source, tmp_path / "a.ogg", "-c:a", "libvorbis")).duration_ms == 100


@pytest.mark.heavy
def test_an_edit_list_ends_aac_to_the_sample(tmp_path: Path) -> None:
    for seconds in (1.0, 1.51, 4.0):
        rate = 44_100
        source = write_raw_wav(tmp_path / "a.wav", bursts(seconds, rate=rate), rate)
        path = encoded(source, tmp_path / f"{seconds}.m4a", "-c:a", "aac")
        media = probe(path)
        assert media.duration_ms == round(1000 * seconds)
        assert len(heard(path, media=media)) == round(seconds * rate)
        half = list(audio_blocks(path, media, sample_rate_hz=22_050))
        assert sum(map(len, half)) == round(seconds * 22_050)


@pytest.mark.heavy
def test_a_gap_in_matroska_is_silence_and_later_sound_keeps_its_time(tmp_path: Path) -> None:
    source = write_raw_wav(tmp_path / "a.wav", bursts(4.0))
    gap = "aselect='not(between(t,1,1.9))'"
    path = encoded(source, tmp_path / "gap.mka", "-af", gap, "-c:a", "pcm_s16le")
    sound = heard(path)
    assert len(sound) / RATE == pytest.approx(4, abs=0.01)
    assert np.allclose(onsets_s(sound, RATE), range(4), atol=0.02)
    assert np.abs(sound[round(1.2 * RATE) : round(1.8 * RATE)]).max() == 0


@pytest.mark.heavy
@pytest.mark.parametrize("count", [6, 17, 60])
def test_channels_without_a_layout_are_equals(count: int, tmp_path: Path) -> None:
    tracks = [bursts(1.0, hz=200 + 30 * index, level=0.3) for index in range(count)]
    path = write_raw_wav(tmp_path / "many.wav", np.stack(tracks, axis=1))
    media = probe(path)
    assert media.heard.channels == count and media.heard.channel_layout is None
    assert np.abs(heard(path, media=media) - np.stack(tracks, axis=1)).max() < 1e-4
    mean = np.mean(tracks, axis=0)
    assert np.abs(heard(path, 1, media)[:, 0] - mean).max() < 1e-4
    assert np.abs(heard(path, 2, media) - mean[:, None]).max() < 1e-4


@pytest.mark.heavy
def test_only_a_named_lfe_is_left_out(tmp_path: Path) -> None:
    tracks = np.stack([bursts(1.0, hz=200 + 70 * index) for index in range(6)], axis=1)
    plain = write_raw_wav(tmp_path / "plain.wav", tracks)
    named = tmp_path / "named.wav"
    ffmpeg("-channel_layout", "5.1", "-i", plain, "-c:a", "pcm_s16le", named)
    assert probe(named).heard.channel_layout == "5.1"
    without = np.delete(tracks, 3, axis=1).mean(axis=1)
    assert np.abs(heard(named, 1)[:, 0] - without).max() < 1e-3
    assert np.abs(heard(plain, 1)[:, 0] - tracks.mean(axis=1)).max() < 1e-3


@pytest.mark.heavy
def test_a_sound_field_is_heard_from_where_it_comes(tmp_path: Path) -> None:
    """Ambisonics in Opus, which ffmpeg mixes to no loudspeakers by itself, was refused as undecodable."""
    left = bursts(1.0, rate=48_000)
    field = np.stack([left, left, np.zeros_like(left), np.zeros_like(left)], axis=1)  # W, Y, Z, X
    source = write_raw_wav(tmp_path / "a.wav", field, 48_000)
    as_quad = ("-af", "channelmap=map=0|1|2|3:channel_layout=quad")
    coding = ("-c:a", "libopus", "-b:a", "512k", "-mapping_family", "2")
    path = encoded(source, tmp_path / "a.opus", *as_quad, *coding)
    media = probe(path)
    assert (media.heard.channels, media.heard.mono_channels) == (4, (0,))
    assert heard(path, media=media).shape == (48_000, 4)
    both, mono = heard(path, 2, media), heard(path, 1, media)
    levels = np.sqrt(np.square(both).mean(axis=0))
    assert levels[1] < 0.02 * levels[0]
    assert np.sqrt(np.square(mono).mean()) == pytest.approx(levels[0], rel=0.02)


@pytest.mark.heavy
@pytest.mark.parametrize("track", [0, 3, 5])
def test_one_live_track_of_six_is_heard_at_its_level(track: int, tmp_path: Path) -> None:
    tracks = np.zeros((2 * RATE, 6))
    tracks[:, track] = bursts(2.0)
    media = probe(write_raw_wav(tmp_path / "six.wav", tracks))
    assert media.heard.mono_channels == (track,)
    assert any("silent" in notice for notice in media.heard.notices)
    assert np.abs(heard(tmp_path / "six.wav", 1)[:, 0] - tracks[:, track]).max() < 1e-3


@pytest.mark.heavy
def test_a_track_that_speaks_late_is_not_silent(tmp_path: Path) -> None:
    tracks = np.zeros((40 * RATE, 3))
    tracks[:, 0] = bursts(40.0)
    tracks[35 * RATE :, 2] = bursts(5.0, hz=700)
    assert probe(write_raw_wav(tmp_path / "late.wav", tracks)).heard.mono_channels == (0, 2)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("columns", "offset", "kept"),
    [
        ((1, -1), 0.0, (0,)),
        ((0.5, -1), 0.2, (1,)),
        ((1, -0.9), 0.0, (0,)),
        ((1, 1), 0.2, (0, 1)),
        ((1, 0.3), 0.0, (0, 1)),
        ((1, -1, 1, -1), 0.0, (0, 2)),
    ],
)
def test_of_two_that_cancel_each_other_one_is_taken(
    columns: tuple[float, ...], offset: float, kept: tuple[int, ...], tmp_path: Path
) -> None:
    sound = np.stack([0.9 * bursts(1.5) * weight + offset for weight in columns], axis=1)
    media = probe(write_raw_wav(tmp_path / "anti.wav", sound))
    assert media.heard.mono_channels == kept
    told = any("upside down" in notice for notice in media.heard.notices)
    assert told == (len(kept) < len(columns))
    assert np.ptp(heard(tmp_path / "anti.wav", 1)) > 0.3


@pytest.mark.heavy
def test_a_constant_offset_is_silence(tmp_path: Path) -> None:
    sound = np.stack([np.full(RATE, 0.25), bursts(1.0)], axis=1)
    media = probe(write_raw_wav(tmp_path / "dc.wav", sound))
    assert media.audio[0].channel_peaks_dbfs[0] is None and media.heard.mono_channels == (1,)


@pytest.mark.heavy
def test_a_constant_offset_is_taken_away_and_told(tmp_path: Path) -> None:
    sound = np.stack([bursts(3.0), bursts(3.0, hz=300.0)], axis=1)
    path = write_raw_wav(tmp_path / "dc.wav", sound + np.array([0.1, -0.05]))
    media = probe(path)
    np.testing.assert_allclose(heard(path, media=media), sound, atol=2e-4)
    (told,) = media.every_notice
    assert told.startswith("taken away: ") and "+0.1000 (channel 1), -0.0500 (channel 2)" in told
    assert plain_track(path, media, "float32") is None


@pytest.mark.heavy
def test_what_is_no_offset_of_all_of_it_stays(tmp_path: Path) -> None:
    rate = 1_000
    sound = bursts(64.0, hz=100.0, rate=rate)
    path = write_raw_wav(
        tmp_path / "half.wav", sound + 0.1 * (np.arange(len(sound)) < 32 * rate), rate
    )
    assert heard(path).mean() > 0.04


def tracks_in(path: Path, *tracks: Samples, words: tuple[str, ...] = ()) -> Path:
    """Each a stream of its own; MXF wants a picture, too."""
    sources: list[str | Path] = []
    maps: list[str] = []
    if path.suffix == ".mxf":
        picture = "color=s=720x576:r=25:d=1"
        sources += ["-f", "lavfi", "-i", picture]
        maps += ["-map", "0:v", "-c:v", "mpeg2video"]
    for number, track in enumerate(tracks):
        sources += ["-i", write_raw_wav(path.with_suffix(f".{number}.wav"), track, 48_000)]
        maps += ["-map", f"{number + (path.suffix == '.mxf')}:a"]
    ffmpeg(*sources, *maps, *words, path)
    return path


def pair(sound: Samples) -> Samples:
    return np.stack([sound, sound], axis=1)


@pytest.mark.heavy
@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "aac"), ("mp4", "aac"), ("ts", "mp2")])
def test_a_silent_first_track_is_passed_over(suffix: str, codec: str, tmp_path: Path) -> None:
    silence, sound = np.zeros((48_000, 2)), pair(bursts(1.0, rate=48_000))
    path = tracks_in(tmp_path / f"a.{suffix}", silence, sound, words=("-c:a", codec))
    media = probe(path)
    assert media.heard.streams == (1,)
    assert any("left out: stream 0" in notice for notice in media.heard.notices)
    assert np.abs(heard(path)).max() > 0.2
    assert np.abs(heard(path, media=media.with_stream(0))).max() < 0.01
    with pytest.raises(ValidationError, match="no sound stream 2"):
        media.with_stream(2)


@pytest.mark.heavy
def test_the_default_flag_counts_before_the_order(tmp_path: Path) -> None:
    first, second = (pair(bursts(1.0, hz=hz, rate=48_000)) for hz in (440, 880))
    marks = ("-c:a", "flac", "-disposition:a:0", "0", "-disposition:a:1", "default")
    assert probe(tracks_in(tmp_path / "a.mkv", first, second, words=marks)).heard.streams == (1,)
    marks = ("-c:a", "flac", "-disposition:a:0", "comment", "-disposition:a:1", "0")
    assert probe(tracks_in(tmp_path / "b.mkv", first, second, words=marks)).heard.streams == (1,)


@pytest.mark.heavy
@pytest.mark.parametrize(("suffix", "codec"), [("mov", "pcm_s16le"), ("mxf", "pcm_s16le")])
def test_four_mono_camera_tracks_are_mixed(suffix: str, codec: str, tmp_path: Path) -> None:
    tracks = [bursts(1.0, hz=300 * (1 + index), rate=48_000) for index in range(3)]
    path = tmp_path / f"camera.{suffix}"
    tracks_in(path, tracks[0], np.zeros(48_000), tracks[1], tracks[2], words=("-c:a", codec))
    media = probe(path)
    assert media.heard.streams == (0, 2, 3) and media.heard.channels == 1
    mixed = heard(path, media=media)[: len(tracks[0]), 0]
    assert np.abs(mixed - np.mean(tracks, axis=0)[: len(mixed)]).max() < 1e-3


@pytest.mark.heavy
def test_mono_tracks_upside_down_do_not_cancel(tmp_path: Path) -> None:
    sound = bursts(1.0, rate=48_000)
    path = tracks_in(tmp_path / "a.mov", sound, -sound, words=("-c:a", "pcm_s16le"))
    assert probe(path).heard.streams == (0,) and np.abs(heard(path)).max() > 0.3


@pytest.mark.heavy
def test_languages_are_not_mixed(tmp_path: Path) -> None:
    one, other = (bursts(1.0, hz=hz, rate=48_000) for hz in (440, 880))
    words = ("-c:a", "flac", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu")
    media = probe(tracks_in(tmp_path / "a.mkv", one, other, words=words))
    assert media.heard.streams == (0,) and media.audio[1].language in ("deu", "ger")


@pytest.mark.heavy
@pytest.mark.parametrize(("valid", "channels"), [(20, 1), (24, 2), (20, 6)])
def test_fewer_bits_in_larger_containers(valid: int, channels: int, tmp_path: Path) -> None:
    sound = np.stack([bursts(1.0, level=0.438)] * channels, axis=1)
    data = (np.rint(sound * 2 ** (valid - 1)).astype(np.int64) << (32 - valid)).astype("<i4")
    form = struct.pack("<HHIIHH", 0xFFFE, channels, RATE, RATE * 4 * channels, 4 * channels, 32)
    form += struct.pack("<HHIH", 22, valid, 0, 1) + GUID
    path = write_riff(tmp_path / "a.wav", form, data.tobytes())
    media = probe(path)
    assert (media.duration_ms, media.audio[0].bit_depth) == (1000, valid)
    assert media.audio[0].peak_dbfs == pytest.approx(20 * np.log10(0.438), abs=0.02)
    assert np.abs(heard(path, media=media) - sound).max() < 1e-4


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("tag", "dtype", "scale"),
    [(1, ">i2", 32767), (1, ">i4", 2**31 - 1), (3, ">f4", 1.0), (3, ">f8", 1.0)],
)
def test_the_byte_order_of_rifx(tag: int, dtype: str, scale: float, tmp_path: Path) -> None:
    sound = bursts(1.0)
    size = np.dtype(dtype).itemsize
    form = struct.pack(">HHIIHH", tag, 1, RATE, RATE * size, size, 8 * size)
    data = (sound * scale).astype(dtype).tobytes()
    path = write_riff(tmp_path / "a.wav", form, data, order=">")
    assert np.abs(heard(path)[:, 0] - sound).max() < 1e-4


@pytest.mark.heavy
def test_24_bits_of_rifx(tmp_path: Path) -> None:
    sound = bursts(1.0)
    wide = np.rint(sound * (2**23 - 1)).astype(">i4").view(np.uint8).reshape(-1, 4)[:, 1:]
    form = struct.pack(">HHIIHH", 1, 1, RATE, RATE * 3, 3, 24)
    path = write_riff(tmp_path / "a.wav", form, wide.tobytes(), order=">")
    assert np.abs(heard(path)[:, 0] - sound).max() < 1e-4


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("suffix", "words", "rate"),
    [
        ("ogg", ("-c:a", "libspeex"), 8_000),
        ("ogg", ("-c:a", "libspeex"), 16_000),
        ("wav", ("-c:a", "libgsm_ms"), 8_000),
        ("wav", ("-c:a", "pcm_mulaw"), 8_000),
        ("wav", ("-c:a", "adpcm_ms"), 8_000),
        ("opus", ("-c:a", "libopus"), 48_000),
        ("mka", ("-c:a", "libvorbis"), 44_100),
    ],
)
def test_telephone_and_speech_codecs_keep_length_and_time(
    suffix: str, words: tuple[str, ...], rate: int, tmp_path: Path
) -> None:
    source = write_raw_wav(tmp_path / "source.wav", bursts(3.0, rate=rate), rate)
    path = encoded(source, tmp_path / f"a.{suffix}", *words)
    media = probe(path)
    assert media.duration_ms == pytest.approx(3000, abs=60)  # ADPCM fills its last block
    assert np.allclose(onsets_s(heard(path, 1, media), rate), [0, 1, 2], atol=0.03)


@pytest.mark.heavy
def test_samples_far_above_full_scale_come_out_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, bursts(1.0) * 32_768, RATE, subtype="FLOAT")
    assert np.abs(heard(path)).max() == pytest.approx(0.4 * 32_768, rel=0.01)

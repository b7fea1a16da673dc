from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from functions.transcribe.semantics import ENGINE, SemanticsParams, cache_key
from shared.contracts.context import RequestContext
from shared.contracts.step import StepState
from shared.contracts.step_engine import Backend
from shared.errors import UnsupportedMedia, ValidationError
from shared.settings import settings
from shared.watch.health import HealthReport
from tests.functions.transcribe import sounds
from tests.functions.transcribe.conftest import Heard
from tests.functions.transcribe.harness import MODEL, REAL_MEDIA, Ran, run
from tests.functions.transcribe.sounds import (
    FIVE,
    FOUR,
    MUSIC,
    OTHER,
    TWO,
    band,
    programme,
    silence,
    spoken,
    write,
)

pytestmark = pytest.mark.usefixtures("words_model")


def assert_covers(ran: Ran) -> None:
    events = ran.body["events"]
    edges = [edge for event in events for edge in (event["start_ms"], event["end_ms"])]
    assert edges[0] == 0 and edges[-1] == ran.body["duration_ms"]
    assert edges[1:-1:2] == edges[2::2]
    assert all(event["start_ms"] < event["end_ms"] for event in events)


@pytest.mark.heavy
def test_everything_once(programme_heard: Heard) -> None:
    ran, truth = programme_heard.ran, programme_heard.truth
    assert ran.result.state is StepState.DONE
    assert_covers(ran)
    found = ran.body["events"]
    assert [event["kind"] for event in found] == [kind for kind, _, _ in truth]
    for event, (_, start_s, end_s) in zip(found, truth, strict=True):
        assert event["start_ms"] == pytest.approx(1000 * start_s, abs=60)
        assert event["end_ms"] == pytest.approx(1000 * end_s, abs=60)


@pytest.mark.heavy
def test_what_is_said_and_when(programme_heard: Heard) -> None:
    speech, truth = programme_heard.ran.events("speech"), programme_heard.truth
    assert [event["transcription"] for event in speech] == [FIVE, FOUR]
    for event, start_s in zip(speech, (truth[1][1], truth[5][1]), strict=True):
        words = event["words"]
        assert [word["start_ms"] for word in words] == sorted(word["start_ms"] for word in words)
        assert words[0]["start_ms"] == pytest.approx(1000 * start_s, abs=130)
        assert all(0 <= word["probability"] <= 1 for word in words)
        assert all(event["start_ms"] <= word["start_ms"] for word in words)
        assert all(word["end_ms"] <= event["end_ms"] for word in words)


@pytest.mark.real_case("transcribe.semantics")
def test_words_stand_where_they_are_spoken(tmp_path: Path) -> None:
    one, other = spoken("hello"), spoken("drums")
    source = write(tmp_path / "in.wav", silence(2), one, silence(1.2), other, silence(1))
    words = [
        word
        for event in run(ENGINE, source, tmp_path / "out").events("speech")
        for word in event["words"]
    ]
    assert [word["text"] for word in words] == ["hello", "drums"]
    second_ms = 1000 * (3.2 + len(one) / sounds.RATE_HZ)
    assert [word["start_ms"] for word in words] == pytest.approx([2000, second_ms], abs=150)


@pytest.mark.heavy
def test_beats_of_the_music_and_nothing_else(programme_heard: Heard) -> None:
    body, truth = programme_heard.ran.body, programme_heard.truth
    _, start_s, end_s = truth[3]
    times_s = np.array([beat["time_ms"] for beat in body["beats"]]) / 1000
    wanted = start_s + 0.5 * np.arange(16)
    assert np.abs(times_s[:, None] - wanted).min(axis=0).max() < 0.05
    assert times_s.min() > start_s - 0.1 and times_s.max() < end_s
    assert [beat["beat_index"] for beat in body["beats"]] == list(range(len(times_s)))
    assert [beat["bar_index"] for beat in body["beats"]][:5] == [0, 0, 0, 0, 1]
    (tempo,) = body["tempi"]
    assert tempo["bpm"] == pytest.approx(120, abs=1)
    assert (tempo["start_ms"], tempo["end_ms"]) == pytest.approx(
        (1000 * start_s, 1000 * end_s), abs=100
    )


@pytest.mark.heavy
@pytest.mark.parametrize("name", MUSIC)
def test_music_is_music(name: str, tmp_path: Path) -> None:
    ran = run(ENGINE, write(tmp_path / "in.wav", MUSIC[name](9.0)), tmp_path / "out")
    assert share_of(ran, "music") > 0.9


@pytest.mark.heavy
@pytest.mark.parametrize("name", OTHER)
def test_noise_is_not_music(name: str, tmp_path: Path) -> None:
    ran = run(ENGINE, write(tmp_path / "in.wav", OTHER[name](9.0)), tmp_path / "out")
    assert share_of(ran, "music", "speech") == 0
    assert ran.body["beats"] == []


def share_of(ran: Ran, *kinds: str) -> float:
    assert_covers(ran)
    total = sum(event["end_ms"] - event["start_ms"] for event in ran.events(*kinds))
    return float(total / ran.body["duration_ms"])


@pytest.mark.heavy
def test_loudness_agrees_with_pyloudnorm(tmp_path: Path) -> None:
    import pyloudnorm

    source, _ = programme(tmp_path / "all.wav")
    ran = run(ENGINE, source, tmp_path / "out", loudness_window_ms=400)
    samples, rate = soundfile.read(source)
    for event in ran.events("speech", "music", "other"):
        cut = samples[event["start_ms"] * rate // 1000 : event["end_ms"] * rate // 1000]
        expected = pyloudnorm.Meter(rate).integrated_loudness(cut)
        assert event["loudness_lufs"] == pytest.approx(expected, abs=0.3)
    assert all(event["loudness_lufs"] is None for event in ran.events("silence"))


@pytest.mark.heavy
@pytest.mark.parametrize("rate_hz", [8_000, 48_000])
def test_telephone_and_studio_sound(rate_hz: int, tmp_path: Path) -> None:
    source, truth = programme(tmp_path / "all.wav", rate_hz)
    kinds = [event["kind"] for event in run(ENGINE, source, tmp_path / "out").body["events"]]
    assert kinds == [kind for kind, _, _ in truth]


@pytest.mark.heavy
def test_digital_silence_is_one_event(tmp_path: Path) -> None:
    ran = run(ENGINE, write(tmp_path / "in.wav", silence(3)), tmp_path / "out")
    assert [(event["kind"], event["end_ms"]) for event in ran.body["events"]] == [("silence", 3000)]


@pytest.mark.heavy
def test_channels_are_told_apart_where_asked(tmp_path: Path) -> None:
    left, right = spoken(FIVE), spoken(FOUR)
    gap = silence(0.8)
    first = np.concatenate([left, gap, 0 * right])
    second = np.concatenate([0 * left, gap, right])
    # Each microphone also hears the other, softly.
    samples = np.stack([first + 0.05 * second, second + 0.05 * first], axis=1)
    source = tmp_path / "two.wav"
    soundfile.write(source, samples, sounds.RATE_HZ)
    speech = run(ENGINE, source, tmp_path / "out", speakers="by_channel").events("speech")
    told = [(event["speaker_id"], event["transcription"]) for event in speech]
    assert told == [("channel_1", FIVE), ("channel_2", FOUR)]


@pytest.mark.heavy
def test_phrases_that_share_a_window_are_all_heard(tmp_path: Path) -> None:
    parts = [part for text in (TWO, FOUR, FIVE) for part in (spoken(text), silence(0.6))]
    ran = run(ENGINE, write(tmp_path / "in.wav", *parts), tmp_path / "out")
    assert [event["transcription"] for event in ran.events("speech")] == [TWO, FOUR, FIVE]


@pytest.mark.heavy
def test_a_longer_minimum_joins_phrases(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", spoken(TWO), silence(0.6), spoken(TWO))
    assert len(run(ENGINE, source, tmp_path / "a").events("speech")) == 2
    assert len(run(ENGINE, source, tmp_path / "b", min_silence_ms=1500).events("speech")) == 1


@pytest.mark.heavy
def test_same_input_same_bytes(programme_heard: Heard, tmp_path: Path) -> None:
    again = run(ENGINE, programme_heard.source, tmp_path / "again").result.outputs
    for left, right in zip(programme_heard.ran.result.outputs, again, strict=True):
        assert left.path.read_bytes() == right.path.read_bytes()
        assert left.meta == right.meta


@pytest.mark.heavy
def test_flags_turn_things_off(tmp_path: Path) -> None:
    source, _ = programme(tmp_path / "all.wav")
    ran = run(ENGINE, source, tmp_path / "out", include_beats=False, include_speech_music=False)
    assert ran.body["beats"] == []
    assert {event["kind"] for event in ran.body["events"]} == {"silence", "other"}
    assert_covers(ran)


def test_limits_clamp() -> None:
    params = SemanticsParams(min_silence_ms=1, loudness_window_ms=10**9)
    assert (params.min_silence_ms, params.loudness_window_ms) == (50, 10_000)


@pytest.mark.heavy
def test_meta_and_body_say_how_it_was_made(tmp_path: Path) -> None:
    ran = run(ENGINE, write(tmp_path / "in.wav", spoken(TWO)), tmp_path / "out")
    meta = ran.result.outputs[0].meta
    assert ran.body["meta"] == meta
    assert ran.body["asset_id"] == "ast_1"
    assert meta["backend_version"] == "whisper_librosa_v7"
    assert meta["audio_semantic_cache_key"] == "the|key"
    assert (meta["model_used"], meta["transcribed"], meta["speed_change_limit"]) == (
        "tiny",
        True,
        1.05,
    )
    assert ran.named("preview").path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.heavy
def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", silence(0.2))
    source.write_bytes(source.read_bytes()[:44])
    with pytest.raises(UnsupportedMedia):
        run(ENGINE, source, tmp_path / "out")


# -- cache keys ---------------------------------------------------------------------------------

CTX = RequestContext(tenant_id="t1", env="dev", user_id="u1")


def key(ctx: RequestContext = CTX, artifact: str | None = None, **params: object) -> str:
    chosen = SemanticsParams.model_validate(params)
    return cache_key(ctx, "a123", artifact, chosen, ENGINE.backend().version, {})


def test_the_key_is_the_documented_one() -> None:
    assert key() == "t1|dev|a123|None|True|True|300|1000|whisper_librosa_v7|u1"
    nobody = RequestContext(tenant_id="t1", env="dev")
    assert (
        key(nobody, "art_1") == "t1|dev|a123|art_1|True|True|300|1000|whisper_librosa_v7|anonymous"
    )


def test_whatever_changes_the_result_changes_the_key() -> None:
    others = [
        key(RequestContext(tenant_id="t1", env="dev", user_id="u2")),
        key(include_beats=False),
        key(include_speech_music=False),
        key(min_silence_ms=400),
        key(loudness_window_ms=400),
        key(language="de"),
        key(speakers="by_channel"),
        key(task="translate"),
        key(glossary=["Rushes"]),
        key(glossary=["Rushes", "takes"]),
        key(artifact="art_1"),
    ]
    assert len({key(), *others}) == len(others) + 1
    assert key(min_silence_ms=1) == key(min_silence_ms=2)


# -- backends -----------------------------------------------------------------------------------


@pytest.mark.heavy
def test_missing_weights_cost_the_text_alone(no_weights: None, tmp_path: Path) -> None:
    source, truth = programme(tmp_path / "all.wav")
    backend = ENGINE.backend()
    assert backend.version == "whisper_librosa_v7"
    assert not backend.dependencies["whisper-tiny"].available
    ran = run(ENGINE, source, tmp_path / "out", backend)
    assert ran.result.state is StepState.DEGRADED
    assert "whisper-tiny" in (ran.result.reason or "")
    assert [event["kind"] for event in ran.body["events"]] == [kind for kind, _, _ in truth]
    assert ran.body["beats"]
    assert "transcription" not in ran.events("speech")[0]
    assert not ran.result.outputs[0].meta["transcribed"]


@pytest.mark.heavy
def test_missing_weights_matter_only_where_somebody_speaks(
    no_weights: None, tmp_path: Path
) -> None:
    ran = run(ENGINE, write(tmp_path / "in.wav", band(4)), tmp_path / "out")
    assert ran.result.state is StepState.DONE


@pytest.mark.heavy
@pytest.mark.parametrize("package", ["librosa", "faster-whisper"])
def test_a_missing_package_gives_the_stub(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report(name: str) -> HealthReport:
        status = "missing" if name == package else "ok"
        return HealthReport(
            name, status, "1.0", "1.2.1", None if status == "ok" else "not installed"
        )

    monkeypatch.setattr("functions.transcribe.backends.report", report)
    backend = ENGINE.backend()
    assert backend.stub and backend.dependencies[package].error == "not installed"
    source = write(tmp_path / "in.wav", spoken(FIVE), silence(5))
    one, other = (run(ENGINE, source, tmp_path / name, backend) for name in ("a", "b"))
    meta = one.result.outputs[0].meta
    assert (meta["backend_type"], meta["semantic_version"]) == ("stub", "audio_semantic_stub_v1")
    assert {event["kind"] for event in one.body["events"]} == {"speech", "music", "silence"}
    assert one.body == other.body and one.body["beats"]
    assert_covers(one)


def test_the_stub_can_be_chosen(configured: pytest.MonkeyPatch) -> None:
    configured.setenv("AUDIO_SEMANTIC_BACKEND", "stub")
    assert ENGINE.backend() == Backend("stub", "audio_semantic_stub_v1", stub=True)


def test_an_unknown_backend_is_refused_with_the_known_ones(configured: pytest.MonkeyPatch) -> None:
    configured.setenv("AUDIO_SEMANTIC_BACKEND", "gpt")
    with pytest.raises(ValidationError, match=r"AUDIO_SEMANTIC_BACKEND.*whisper_librosa.*stub"):
        ENGINE.backend()


def test_another_model_is_another_version(configured: pytest.MonkeyPatch) -> None:
    configured.setenv("AUDIO_SEMANTIC_WHISPER_MODEL", "small")
    (settings().models / "small").symlink_to(MODEL)
    settings.cache_clear()
    assert ENGINE.backend().version == "whisper_librosa_v7+small"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("music/Kevin_MacLeod_-_Vibe_Ace.ogg", "music"),
        ("loops/loop_garzul.flac", "music"),
        ("transcript/LJ001-0001.wav", "speech"),
        ("segments/count.wav", "speech"),
    ],
)
def test_real_recordings(name: str, kind: str, no_weights: None, tmp_path: Path) -> None:
    source = REAL_MEDIA / name
    if not source.exists():
        pytest.skip("the shared recordings are not on this machine")
    assert share_of(run(ENGINE, source, tmp_path / "out"), kind) > 0.85


@pytest.mark.heavy
def test_a_few_samples_have_no_events(tmp_path: Path) -> None:
    source = tmp_path / "blip.wav"
    soundfile.write(source, np.full(3, 0.5), 48_000)
    assert run(ENGINE, source, tmp_path / "out").body["events"] == []

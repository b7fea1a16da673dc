"""What results are called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.runs.results_folder import lay_out, safe_name, stem_of
from shared.runs.standing import Standing
from tests.shared.runs.made import artifact, asset, standing


def paths(
    name: str, *rows: Standing, video: bool = False, members: tuple[str, ...] = ()
) -> list[str]:
    laid = lay_out(stem_of(name), asset(name, video=video), rows, lambda _: members)
    return [entry.path for entry in laid]


def test_a_translation_stands_beside_the_recording_by_its_language() -> None:
    made = artifact("captions", "srt", "srt", language="en", translated_from="de")
    assert "talk.en.srt" in paths("talk.flac", standing("transcribe.captions", made))


def test_a_talk_is_told_by_its_words() -> None:
    said = (
        "And so, my fellow Americans: ask not what your country can do for you, ask what you can do"
    )
    found = paths(
        "talk.flac",
        standing(
            "detect.phrases",
            artifact("audio_phrase", "phrase_0001", transcript=said, start_ms=300.0),
            artifact("audio_phrase", "phrase_0002", transcript=None, start_ms=15_900.0),
            artifact("audio_phrases", "phrases", "json"),
            artifact("preview", "preview", "png", shows="x"),
        ),
        standing("transform.normalise", artifact("audio_normalised", "normalised")),
        standing(
            "transcribe.captions",
            artifact("asr_transcript", "transcript", "json"),
            artifact("captions", "srt", "srt"),
            artifact("captions", "vtt", "vtt"),
        ),
    )
    assert found == [
        "talk.flac",
        "phrases/01 and so my fellow americans ask not what your.wav",
        "phrases/02 at 15.9 s.wav",
        "data/phrases.json",
        "pictures/phrases.png",
        "talk normalised.wav",
        "data/transcript.json",
        "talk.srt",
        "talk.vtt",
    ]


def test_a_take_is_told_by_tempo_and_part() -> None:
    found = paths(
        "amen.wav",
        standing(
            "detect.hits", artifact("audio_hit", "hit_0001"), artifact("audio_hit", "hit_0002")
        ),
        standing("detect.loops", artifact("audio_loop", "loop_0001", bpm=136.7, bars=1)),
        standing("separate.stems", artifact("audio_stem", "stem_drums", stem="drums")),
        standing("sample.pack", artifact("audio_sample_pack", "pack", "zip")),
        standing("transform.fx", artifact("audio_fx", "fx", preset_id="tape")),
        members=("pack_1/Hits/hit_001.wav", "pack_1/hits.sfz", "pack_1/", "pack_1/../../out.wav"),
    )
    assert found[1:] == [
        "hits/amen hit 01.wav",
        "hits/amen hit 02.wav",
        "loops/amen loop 01 137 BPM 1 bar.wav",
        "stems/amen drums.wav",
        "samples/Hits/hit_001.wav",
        "samples/hits.sfz",
        "amen fx tape.wav",
    ]


def test_where_faces_are_covered_nothing_shows_them_unsaid() -> None:
    regions = standing("detect.regions", artifact("preview", "preview", "png", shows="faces"))
    covered = standing("anonymise.faces", artifact("video_anonymised", "anonymised", "mp4"))
    assert paths("vlog.mp4", regions, video=True) == ["vlog.mp4", "pictures/faces.png"]
    assert paths("vlog.mp4", regions, covered, video=True) == [
        "pictures/unblurred/faces.png",
        "vlog anonymised.mp4",
    ]


def test_takes_of_one_name_are_numbered_and_the_same_bytes_stand_once() -> None:
    newest, older = (artifact("audio_fx", "fx", preset_id="tape", wet=wet) for wet in (1, 2))
    rows = [standing("transform.fx", one) for one in (newest, older, newest)]
    assert paths("a.wav", *rows)[1:] == ["a fx tape.wav", "a fx tape (2).wav"]
    of_a_hit = standing("transform.fx", newest, made_from="hit_0001")
    assert paths("a.wav", of_a_hit)[1:] == ["a hit_0001 fx tape.wav"]


def test_takes_of_one_name_are_told_by_what_was_wished_otherwise() -> None:
    effects = [
        artifact("audio_fx", "fx", preset_id="tape", dry_wet=wet, knob_values={"drive_db": drive})
        for wet, drive in ((1.0, 8.0), (1.0, 20.0), (0.5, 8.0))
    ]
    assert paths("a.wav", standing("transform.fx", *effects))[1:] == [
        "a fx tape.wav",
        "a fx tape drive_db 20.wav",
        "a fx tape dry_wet 0.5.wav",
    ]
    loudness = [
        artifact("audio_normalised", "normalised", target_lufs=lufs, ceiling_dbtp=ceiling)
        for lufs, ceiling in ((-14.0, -1.0), (-16.0, -1.0), (-24.0, -2.0))
    ]
    assert paths("a.wav", standing("transform.normalise", *loudness))[1:] == [
        "a normalised.wav",
        "a normalised -16 LUFS.wav",
        "a normalised -24 LUFS -2 dBTP.wav",
    ]
    stopped = [
        artifact("audio_normalised", "normalised", target_lufs=-5.0, on_ceiling=way)
        for way in ("limit", "stop_short")
    ]
    assert paths("a.wav", standing("transform.normalise", *stopped))[1:] == [
        "a normalised.wav",
        "a normalised stop_short.wav",
    ]
    mixes = [
        artifact("audio_render", "master", timeline_name="Jam", export_preset=preset)
        for preset in ("default", "podcast")
    ]
    found = paths("a.wav", standing("render.audio", *mixes))[1:]
    assert found == ["a mix Jam.wav", "a mix Jam podcast.wav"]


@given(st.text())
def test_any_name_is_a_file_name_everywhere(name: str) -> None:
    for made in (safe_name(name), stem_of(name)):
        assert made.isprintable() and not set(made) & set('/\\:*?"<>|')
        assert len(made.encode()) <= 120 and made not in (".", "..")
    assert stem_of(name)


def test_a_recording_that_is_cut_is_called_so_and_a_mix_a_mix() -> None:
    rows = (
        standing(
            "render.audio", artifact("audio_render", "cut"), artifact("audio_render", "master")
        ),
        standing("render.video", artifact("video_render", "cut", "mp4")),
    )
    found = paths("talk.mp4", *rows, video=True)
    assert found == ["talk.mp4", "talk cut.wav", "talk mix.wav", "talk cut.mp4"]


def test_names_that_are_too_long_lose_whole_words_and_one_word_its_end() -> None:
    assert safe_name("x" * 120) == "x" * 120
    assert safe_name("x" * 121) == "x" * 120
    assert safe_name("one two three", 13) == "one two three"
    assert safe_name("one two three", 12) == "one two"
    assert safe_name("ääää", 5) == "ää", "no letter is cut in two"
    assert safe_name(' a/b:c*?"<>|d. ') == "a b c d"


def test_what_has_no_name_of_its_own_is_told_by_tempo_pitch_and_bars() -> None:
    rows = (
        standing("detect.loops", artifact("audio_loop", "loop_0001", bpm=99.5, bars=2)),
        standing("transform.pitch", artifact("audio_resampled", "r", tempo=1.25, pitch=-2.0)),
        standing("separate.stems", artifact("audio_fx", "fx", "wav", preset_id="a/b")),
    )
    assert paths("a.wav", *rows)[1:] == [
        "loops/a loop 01 100 BPM 2 bars.wav",
        "a tempo 1.25 pitch -2.wav",
        "a fx a b.wav",
    ]


def test_takes_of_one_name_are_counted_on_whatever_their_letters() -> None:
    takes = [artifact("audio_fx", "fx", preset_id=name, n=n) for n, name in enumerate("tTt")]
    found = paths("a.wav", standing("transform.fx", *takes))[1:]
    assert found == ["a fx t.wav", "a fx T (2).wav", "a fx t (3).wav"]


def test_a_phrase_is_called_by_as_many_whole_words_as_fit() -> None:
    fits = "abcd " * 9 + "abc"
    assert len(fits) == 48
    phrases = [
        artifact("audio_phrase", f"p{n}", transcript=said, start_ms=1_240.0)
        for n, said in enumerate((fits, f"{fits}d", "?!"))
    ]
    assert paths("a.wav", standing("detect.phrases", *phrases))[1:] == [
        f"phrases/01 {fits}.wav",
        f"phrases/02 {('abcd ' * 9).strip()}.wav",
        "phrases/03 at 1.2 s.wav",
    ]


def test_two_takes_are_told_apart_by_three_wishes_at_most() -> None:
    knobs = [dict.fromkeys("abcd", 0.5 * n) for n in (1, 2)]
    takes = [artifact("audio_fx", "fx", preset_id="t", knob_values=told) for told in knobs]
    assert paths("a.wav", standing("transform.fx", *takes))[1:] == [
        "a fx t.wav",
        "a fx t a 1 b 1 c 1.wav",
    ]


def test_a_name_that_windows_takes_for_a_device_is_another() -> None:
    names = ("AUX.wav", "nul.tar.wav", "Com1.wav", "auxiliary.wav", "con sordino.wav")
    assert [stem_of(name) for name in names] == [
        *("AUX_", "nul_.tar", "Com1_", "auxiliary", "con sordino")
    ]

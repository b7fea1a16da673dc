"""Where librosa's ``beat_track`` hears the beats of ``test_beats``' flux: recorded, for it compiles for 40 s.

    python -m tests.shared.media.librosa_beats

prints them anew (librosa 0.11).
"""

from __future__ import annotations

import numpy as np

FRAMES = (
    48,
    77,
    107,
    136,
    165,
    195,
    224,
    253,
    282,
    312,
    341,
    370,
    400,
    429,
    458,
    487,
    517,
    546,
    575,
    605,
    634,
    663,
    693,
    722,
    751,
    780,
    810,
    839,
    868,
    898,
    927,
    956,
    986,
    1015,
    1044,
    1073,
    1103,
    1132,
    1161,
    1191,
)
BPM = 128


def main() -> None:
    import librosa

    from tests.shared.media.test_beats import flux_of

    flux = flux_of(np.arange(0.3, 19.5, 60 / BPM), 20)
    _, frames = librosa.beat.beat_track(onset_envelope=flux, sr=16_000, hop_length=256, bpm=BPM)
    print(tuple(frames.tolist()))


if __name__ == "__main__":
    main()

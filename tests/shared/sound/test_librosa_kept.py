"""librosa's functions come without what nobody here calls, which is there for whoever does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shared.errors import MissingDependency
from shared.sound import librosa_kept


def passes(code: str) -> None:
    """In a process that has imported nothing."""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.heavy
def test_onset_strength_compiles_nothing_and_leaves_the_rest_of_scipy_signal_alone() -> None:
    """Both together take longer than listening to a minute of sound; compiling, half a minute."""
    passes(
        "import sys, numpy as np; from shared.sound.onsets import pick_peaks;"
        "from tests.onset_tracks import analyse;"
        "noise = np.random.default_rng(1).standard_normal((9_000, 1)).astype(np.float32);"
        "assert len(pick_peaks(analyse([noise], 8_000).fine_flux_db, 0.5, fine=2));"
        "assert not {'numba', 'scipy.signal', 'scipy.stats'} & set(sys.modules)"
    )


@pytest.mark.heavy
def test_whoever_calls_the_rest_of_librosa_gets_it() -> None:
    """Compiled functions that call each other, those of a module that was not imported, and numba itself."""
    passes(
        "import numpy as np; from shared.sound.librosa_kept import librosa_module;"
        "librosa = librosa_module('librosa'); peaks = librosa.util.localmax(np.array([1.0, 3.0, 2.0]));"
        "assert peaks.tolist() == [False, True, False];"
        "assert librosa.filters.get_window('hann', 4).tolist() == [0.0, 0.5, 1.0, 0.5];"
        "assert librosa.onset.melspectrogram(y=np.ones(4_096, np.float32), sr=8_000).shape[0] == 128;"
        "import numba, scipy.signal; assert numba.njit(lambda x: x + 1)(1) == 2 and scipy.signal.lfilter"
    )


@pytest.mark.heavy
def test_what_another_thread_imports_meanwhile_is_what_it_asked_for() -> None:
    passes(
        "import threading; from shared.sound.librosa_kept import librosa_module\n"
        "def filtering(): from scipy.signal import lfilter; told.extend(lfilter([1], [1, 0.5], [2.0]))\n"
        "told, listening = [], lambda: told.append(librosa_module('librosa').power_to_db(1.0))\n"
        "threads = [threading.Thread(target=one) for one in (listening, filtering) * 3]\n"
        "for one in threads: one.start()\n"
        "for one in threads: one.join()\n"
        "assert sorted(told) == [0.0] * 3 + [2.0] * 3, told"
    )


def test_without_librosa_it_says_what_to_install() -> None:
    with pytest.raises(MissingDependency, match="pip install librosa"):
        librosa_kept.librosa_module("librosa.unheard_of")

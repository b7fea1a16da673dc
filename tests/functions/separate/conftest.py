"""The models folder, and no worker left behind by any test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.separate.host import warm_worker
from shared.settings import settings
from tests.functions.separate.rig import MODEL, WEIGHTS


@pytest.fixture(scope="package")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tiny band's model lies in it; one thread, for the machine has other tests to run."""
    pytest.importorskip("demucs", reason="demucs is not installed")
    folder = tmp_path_factory.mktemp("models")
    (folder / MODEL).symlink_to(WEIGHTS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RUSHES_MODELS", str(folder))
        patched.setenv("HF_HOME", str(folder / "no hub"))
        patched.setenv("HOME", str(folder / "nobody"))
        patched.setenv("OMP_NUM_THREADS", "1")
        # The worker looks for modules where packages are, and models that break are the tests' own.
        patched.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
        # The machine's one place to separate is a file there: tests that run beside have their own.
        patched.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))
        patched.setattr(tempfile, "tempdir", None)
        settings.cache_clear()
        yield folder
        warm_worker().close()
    settings.cache_clear()

"""What all tests share: emulators started once, and no error log that nobody expected."""

from __future__ import annotations

import gc
import itertools
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from infra.local.emulators import Emulators, google_emulators
from shared.errors import MissingDependency
from shared.settings import Settings
from shared.settings import settings as read_settings
from shared.watch import health
from shared.watch.log import configure
from shared.weights import WEIGHTS, installed_state

_PROJECTS = itertools.count(1)
_TOGETHER = {
    "tests/functions/console/": "a whole run of the demo",
    "tests/contract/": "the emulators",
    "tests/emulator/": "the emulators",
}
"""Folders whose files one worker does, for what they look at: it is dear to have twice."""

# The emulators live for minutes, in which Java's second compiler takes more than it gives back.
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"
# A thread that waits for its part of a sum does so by turning, which takes a processor from other tests.
os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "OPENBLAS_THREAD_TIMEOUT": "4"}

# What a test hears must not hang on which weights this machine's user has installed. Those marked
# real_weights have them, out of the folder in which `make test` keeps them from run to run.
_KEPT_MODELS = os.environ.setdefault("RUSHES_KEPT_MODELS", str(Settings().models.absolute()))
os.environ["RUSHES_MODELS"] = str(Path(__file__).parents[1] / "build" / "no-models")


# Collecting makes some millions of objects that live to the end. The garbage collector is told so, and
# does not go through them again and again: in the API's tests that was a fifth of the processor's time.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


settings.register_profile("rushes", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("quick", settings.get_profile("rushes"), max_examples=20)
settings.load_profile("rushes")  # `make test-fast` asks for the quick one, a fifth of the examples


class _Errors(logging.Handler):
    """Keeps the records of unexpected trouble."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def no_error_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that logs an error, unless it is marked ``allow_error_logs``."""
    structlog.contextvars.clear_contextvars()  # what a test before this one left bound
    configure("INFO")
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    yield
    logging.getLogger().removeHandler(errors)
    if not request.node.get_closest_marker("allow_error_logs"):
        assert errors.messages == [], "unexpected errors were logged"


@pytest.hookimpl(tryfirst=True)  # before pytest picks by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test marked ``first_is_quick`` the first case stays in the fast suite."""
    seen = set()
    for item in items:
        if item.get_closest_marker("first_is_quick"):
            name = item.nodeid.partition("[")[0]
            if name in seen:
                item.add_marker(pytest.mark.heavy)
            seen.add(name)


class _Rooms(LoadFileScheduling):  # type: ignore[misc]
    """Deals files out, but some together."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((what for at, what in _TOGETHER.items() if file.startswith(at)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return _Rooms(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(autouse=True, scope="session")
def patient_probes() -> Iterator[None]:
    """Beside a dozen others on two cores, a package is not missing because it takes long to import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(health, "PROBE_TIMEOUT_S", 60.0)
        yield


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulators]:
    """Google's emulators, started once; skips where they are not installed, but not in CI."""
    try:
        with google_emulators(tmp_path_factory.mktemp("emulators")) as running:
            yield running
    except MissingDependency as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(error.message)


@pytest.fixture
def google_project(emulators: Emulators, monkeypatch: pytest.MonkeyPatch) -> str:
    """A project on the emulators for this test alone; Google clients made in it reach them."""
    for name, value in emulators.environment.items():
        monkeypatch.setenv(name, value)
    return f"test-{os.getpid()}-{next(_PROJECTS)}"


@pytest.fixture
def real_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The models folder with Whisper's published ``base`` and ``tiny.en``; skips without them."""
    folder = Path(_KEPT_MODELS)
    for name in ("base", "tiny.en"):
        if installed_state(WEIGHTS[name], folder) != "installed":
            pytest.skip(f"{folder} lacks the weights: `rushes models install {name}`")
    monkeypatch.setenv("RUSHES_MODELS", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    read_settings.cache_clear()
    yield folder
    read_settings.cache_clear()

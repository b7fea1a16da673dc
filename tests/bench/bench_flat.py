"""What must not grow, and what nobody should wait for: processor seconds, which neighbours hardly change.

    python -m tests.bench flat

- A home of 90,000 documents beside one of 9,000: what is asked of it, which should cost the same.
- Storing 66 files of one step beside writing 66 files and syncing them together.
- A settled step on the embedded queue beside one durable commit of SQLite.
- ``rushes --help`` and ``rushes assets`` beside Python with click, and with click and pydantic.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

from functions.sweep.lost import announce_missed, recall_lapsed
from functions.sweep.stalled import resume_stalled
from functions.wiring import engine_of
from shared.contracts.context import RequestContext
from shared.homes.bus import Outgoing
from shared.homes.documents.embedded_documents import EmbeddedDocuments
from shared.homes.home import Home, open_home
from shared.homes.objects import NewObject
from shared.homes.objects.files import sync_all
from shared.runs.erasing import resume_erasures
from shared.runs.staleness import find_stale, planned_runs, stale_recordings
from shared.runs.stored_json import run_json
from shared.runs.views import list_artifacts, list_runs, newest_runs
from shared.settings import Settings
from shared.watch.log import configure
from tests.bench.large_home import DOCUMENTS_EACH, fill
from tests.bench.measuring import INSTALLED, cpu_s
from tests.bench.report import Row

ROOT = Path(__file__).parents[2]
CTX = RequestContext(tenant_id="local", env="dev")
LARGE, SMALL = 90_000, 9_000
FILES, FILE_BYTES = 66, 20_000
MESSAGES = 100
OFTEN = 100
"""What takes less than a clock tells is asked so often."""
ALL_STALE = "what is stale"


def measure() -> Iterator[Row]:
    """All of it, in a home of its own each."""
    configure("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        for part in (_growth, _storing, _queue, _starts):
            yield from part(Path(folder))


def _growth(folder: Path) -> Iterator[Row]:
    asked = [
        _questions(_filled(folder / str(documents), documents)) for documents in (LARGE, SMALL)
    ]
    for (what, times, goal, large), (_, few, _, small) in zip(*asked, strict=True):
        taken_s = cpu_s(large, small)
        ours, bare = (1000 * taken / of for taken, of in zip(taken_s, (times, few), strict=True))
        name = f"{what}, at {LARGE:,} documents beside {SMALL:,}"
        why = "there it names ten times as many results" if what == ALL_STALE else ""
        yield Row(name, ours, bare, "ms", goal, why)


def _filled(folder: Path, documents: int) -> Home:
    home = open_home(Settings(data=folder), engine_of)
    fill(cast(EmbeddedDocuments, home.documents), CTX, documents // DOCUMENTS_EACH)
    return home


def _questions(home: Home) -> list[tuple[str, int, str, Callable[[], object]]]:
    """What is asked, how often at once, its goal, and the asking. Whatever the home holds is stale."""
    documents = home.documents
    run = newest_runs(documents, CTX, limit=1, after=None)[0]
    survey = next(stale_recordings(home, CTX))
    survey = replace(survey, stale=survey.stale[:1])
    recordings = sum(1 for _ in stale_recordings(home, CTX))

    def sweep() -> None:
        recall_lapsed(home)
        resume_erasures(home)
        announce_missed(home, now=time.time())
        resume_stalled(home)
        documents.remove_expired()

    flat, soon = "ratio <= 1.2", "ours <= 2"
    asset_id = str(run.asset_id)
    quick: dict[str, tuple[str, Callable[[], object]]] = {
        "artifacts of a recording": (soon, lambda: [*list_artifacts(documents, CTX, asset_id)]),
        "runs of a recording": (soon, lambda: list_runs(documents, CTX, asset_id)),
        "newest 100 runs": (soon, lambda: newest_runs(documents, CTX, limit=100, after=None)),
        "a run as the API tells it": (soon, lambda: run_json(home, CTX, run.run_id)),
        "planning one stale recording": (flat, lambda: [*planned_runs(home, survey)]),
        "a round of the sweep": (flat, sweep),
        "the first recording of which something is stale": (
            flat,
            lambda: next(stale_recordings(home, CTX)),
        ),
    }
    return [
        *((what, OFTEN, goal, _often(ask)) for what, (goal, ask) in quick.items()),
        (f"{ALL_STALE}, a recording", recordings, flat, lambda: find_stale(home, CTX)),
        (ALL_STALE, 1, flat, lambda: find_stale(home, CTX)),
    ]


def _often(ask: Callable[[], object]) -> Callable[[], object]:
    return lambda: [ask() for _ in range(OFTEN)]


def _storing(folder: Path) -> Iterator[Row]:
    source = folder / "source.bin"
    source.write_bytes(os.urandom(FILE_BYTES))
    home = open_home(Settings(data=folder / "storing"), engine_of)
    rounds = iter(range(1_000))

    def ours() -> None:
        at = next(rounds)
        names = [f"{at}_{number}" for number in range(FILES)]
        new = [NewObject(f"tenants/t/dev/{name}.bin", source, "audio/wav") for name in names]
        home.objects.create_all(new)
        home.documents.create_all(
            {f"tenants/t/envs/dev/artifacts/{name}": {"n": name} for name in names}
        )

    def bare() -> None:
        at = folder / f"bare_{next(rounds)}"
        at.mkdir()
        paths = [at / str(number) for number in range(FILES)]
        for path in paths:
            path.write_bytes(source.read_bytes())
        sync_all(paths, at)

    one, other = (1000 * taken for taken in cpu_s(ours, bare))
    yield Row(
        f"storing {FILES} files of one step, beside writing and syncing them", one, other, "ms"
    )


def _queue(folder: Path) -> Iterator[Row]:
    home = open_home(Settings(data=folder / "queue"), engine_of)

    def ours() -> None:
        attributes = {"tenant": "t", "env": "dev"}
        home.bus.publish_all([Outgoing("steps-detect", b"{}", attributes)] * MESSAGES)
        for _ in range(MESSAGES):
            (delivery,) = home.bus.pull(["steps-detect"])
            home.bus.publish_all([Outgoing("steps-sample", b"{}", attributes)])
            home.bus.ack(delivery)

    database = sqlite3.connect(folder / "bare.sqlite3", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE messages (data BLOB)")

    def bare() -> None:
        for _ in range(MESSAGES):
            database.execute("INSERT INTO messages VALUES (?)", (b"{}",))

    one, other = (1000 * taken / MESSAGES for taken in cpu_s(ours, bare))
    what = "a settled step on the embedded queue, beside a durable commit"
    yield Row(what, one, other, "ms", "ours <= 4")


def _starts(folder: Path) -> Iterator[Row]:
    def run(*command: str) -> Callable[[], object]:
        return lambda: subprocess.run(
            [sys.executable, *command],
            check=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
        )

    environment = {**INSTALLED, "PYTHONPATH": str(ROOT)}
    rushes = ("-m", "infra.command.main")
    for command, names in (("--help", "click"), ("assets", "click, pydantic")):
        taken = cpu_s(run(*rushes, command), run("-c", f"import {names}"))
        what = f"rushes {command}, beside python that imports {names}"
        yield Row(what, *taken, "s", "ours <= 0.25", "pydantic makes the models")

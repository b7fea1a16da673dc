"""What must not grow, and what nobody should wait for: processor seconds, which neighbours hardly change.

    python -m tests.bench flat

- A home of 90,000 documents beside one of 9,000: what is asked of it, which should cost the same.
- Storing 66 files of one step beside writing 66 files and syncing them together.
- A settled step on the embedded queue beside one durable commit of SQLite.
- ``rushes --help`` and ``rushes assets`` beside Python with click, and with click and pydantic.
"""

from __future__ import annotations

import os
import resource
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
from shared.runs.staleness import find_stale, planned_runs
from shared.runs.stored_json import run_json
from shared.runs.views import list_artifacts, list_runs, newest_runs
from shared.settings import Settings
from shared.watch.log import configure
from tests.bench.large_home import DOCUMENTS_EACH, fill
from tests.bench.report import Row, show

ROOT = Path(__file__).parents[2]
CTX = RequestContext(tenant_id="local", env="dev")
LARGE, SMALL = 90_000, 9_000
FILES, FILE_BYTES = 66, 20_000
MESSAGES = 100
TIMES = 5


def main() -> None:
    """Measure and show."""
    configure("ERROR")
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            *_growth(Path(folder)),
            *_storing(Path(folder)),
            *_queue(Path(folder)),
            *_starts(Path(folder)),
        ]
    show("flat", rows, ours="rushes, or 90,000 documents", bare="bare, or 9,000")


def cpu_s(work: Callable[[], object]) -> float:
    """The least processor time of some runs of ``work()``, its children's included, in seconds."""
    taken = []
    for _ in range(TIMES):
        begun = _used_s()
        work()
        taken.append(_used_s() - begun)
    return min(taken)


def _used_s() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def _growth(folder: Path) -> Iterator[Row]:
    asked = [
        _questions(_filled(folder / str(documents), documents)) for documents in (LARGE, SMALL)
    ]
    for (what, large), (_, small) in zip(*asked, strict=True):
        aim = "10: reads all that is done" if what == "what is stale" else "1"
        yield Row(what, 1000 * cpu_s(large), 1000 * cpu_s(small), "ms", aim)


def _filled(folder: Path, documents: int) -> Home:
    home = open_home(Settings(data=folder), engine_of)
    fill(cast(EmbeddedDocuments, home.documents), CTX, documents // DOCUMENTS_EACH)
    return home


def _questions(home: Home) -> list[tuple[str, Callable[[], object]]]:
    documents = home.documents
    run = newest_runs(documents, CTX, limit=1, after=None)[0]
    survey = find_stale(home, CTX)
    survey = replace(survey, stale=survey.stale[:1])

    def sweep() -> None:
        recall_lapsed(home)
        resume_erasures(home)
        announce_missed(home, now=time.time())
        resume_stalled(home)
        documents.remove_expired()

    def often(ask: Callable[[], object]) -> Callable[[], object]:
        return lambda: [ask() for _ in range(100)]

    asset_id = str(run.asset_id)
    return [
        (
            "artifacts of a recording, 100 times",
            often(lambda: [*list_artifacts(documents, CTX, asset_id)]),
        ),
        ("runs of a recording, 100 times", often(lambda: list_runs(documents, CTX, asset_id))),
        ("newest 100 runs", lambda: newest_runs(documents, CTX, limit=100, after=None)),
        ("a run as the API tells it, 100 times", often(lambda: run_json(home, CTX, run.run_id))),
        ("planning one stale recording, 100 times", often(lambda: [*planned_runs(home, survey)])),
        ("a round of the sweep, 100 times", often(sweep)),
        ("what is stale", lambda: find_stale(home, CTX)),
    ]


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

    yield Row(f"storing {FILES} files of one step", 1000 * cpu_s(ours), 1000 * cpu_s(bare), "ms")


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

    what = f"{MESSAGES} settled steps on the embedded queue"
    yield Row(what, 1000 * cpu_s(ours), 1000 * cpu_s(bare), "ms")


def _starts(folder: Path) -> Iterator[Row]:
    def run(*command: str) -> Callable[[], object]:
        return lambda: subprocess.run(
            [sys.executable, *command],
            check=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
        )

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    rushes = ("-m", "infra.command.main")
    with_click, with_models = (
        run("-c", f"import {names}") for names in ("click", "click, pydantic")
    )
    yield Row("rushes --help", cpu_s(run(*rushes, "--help")), cpu_s(with_click), "s", "0.25 s")
    yield Row("rushes assets", cpu_s(run(*rushes, "assets")), cpu_s(with_models), "s", "0.25 s")


if __name__ == "__main__":
    main()

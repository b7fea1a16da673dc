"""``rushes up``: serve this home, on this machine, until told to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click

from functions.sweep.lost import announce_missed, recall_lapsed
from infra.command.desk import Desk, at_desk, stdout
from infra.command.inbox import Inbox
from infra.command.strain import disk_has_room
from infra.local.worker import WorkerPool
from shared.errors import NotFound, Permanent, RushesError, Unavailable
from shared.lazy_log import before_first
from shared.runs.erasing import resume_erasures
from shared.runs.records import finished, load_run, upload_run_id
from shared.runs.uploading import shown, upload
from shared.runs.views import run_object
from shared.steps.step_records import load_records
from shared.watch.log import configure

_POLL_S = 0.5
_SWEEP_EVERY_S = 60.0


@click.command()
@click.option("--emulators", is_flag=True, help="On the Google emulators, each function by itself.")
@click.option("--inbox", type=click.Path(path_type=Path), help="Folder to watch. [DATA/inbox]")
@click.option("--port", type=click.IntRange(1, 65_535), help="Of console and HTTP API. [8321]")
@at_desk
def up(desk: Desk, emulators: bool, inbox: Path | None, port: int | None) -> None:
    """Serve the console and the HTTP API, and take in whatever lands in the inbox folder.

    With --emulators: start the Pub/Sub and Firestore emulators, a GCS-compatible bucket and every
    function behind its push subscription, and say how to upload.
    """
    for sign in (signal.SIGINT, signal.SIGTERM):
        # Whatever it inherited: what a script starts in the background is born deaf to SIGINT.
        signal.signal(sign, signal.default_int_handler)
    try:
        if emulators:
            from infra.local.stack import serve_stack

            serve_stack(desk.settings, port, say=lambda text: stdout.print(text, markup=False))
        else:
            _serve_embedded(desk, inbox or desk.settings.data / "inbox", port)
    except KeyboardInterrupt:  # at any time, while starting too: it is how this command ends
        stdout.print("stopped")


def _serve_embedded(desk: Desk, folder: Path, port: int | None) -> None:
    from infra.local.api import api_served

    folder.mkdir(parents=True, exist_ok=True)
    if not disk_has_room(desk.settings.data):
        raise Unavailable(f"the home {desk.settings.data}", "its disk is full")
    recall_lapsed(desk.home)  # a home that cannot be read or written is told at once
    with (
        logged_to(desk.settings.data / "worker.log", desk.settings.log_level),
        WorkerPool(desk.settings) as pool,
        api_served(desk.home, port) as address,
    ):
        stdout.print(f"console and HTTP API: {address}", markup=False)
        stdout.print(f"drop recordings into {folder}/ - stop with Ctrl-C", markup=False)
        Serving(desk, Inbox(folder), pool).for_ever()


@contextmanager
def logged_to(path: Path, level: str) -> Iterator[None]:
    """What the API and the sweep have to log stands beside what the workers log: who serves others is asked
    why a request failed, and a terminal has no room for it."""
    with path.open("a", encoding="utf-8") as file:
        before_first(partial(configure, level, file))
        try:
            yield
        finally:
            configure("CRITICAL")


@dataclass
class Serving:
    """What ``rushes up`` does at home, turn by turn."""

    desk: Desk
    inbox: Inbox
    pool: WorkerPool
    _open: set[str] = field(default_factory=set)
    _swept_at: float = 0.0
    """Unix seconds of the last round."""
    _trouble: str = ""

    def for_ever(self) -> None:
        """Until told to stop."""
        while True:
            for turn in (self._take_new_files, self._tell_finished, self.sweep):
                self._in_spite_of_trouble(turn)
            self.pool.replace_dead()
            time.sleep(_POLL_S)

    def _in_spite_of_trouble(self, turn: Callable[[], None]) -> None:
        """A full disk or a locked home is told once, and the next turn tries again."""
        try:
            turn()
        except (RushesError, OSError) as error:
            self._tell_trouble(error.message if isinstance(error, RushesError) else str(error))

    def _tell_trouble(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            stdout.print(f"trouble, going on: {trouble}", markup=False)

    def _take_new_files(self) -> None:
        for path in self.inbox.settled():
            if self._take(path):
                self.inbox.taken(path)

    def _take(self, path: Path) -> bool:
        """Take the file in, or say why not; ``False``: try again."""
        desk = self.desk
        try:
            run_id = upload_run_id(upload(desk.home, desk.ctx, path))
        except NotFound:
            return False
        except Permanent as error:
            stdout.print(f"{shown(path.name)}: {error.message}", markup=False)
            return True
        except RushesError as error:
            self._tell_trouble(f"{shown(path.name)} waits: {error.message}")
            return False
        self._open.add(run_id)
        self._trouble = ""
        stdout.print(f"{shown(path.name)}: taken in", markup=False)
        return True

    def _tell_finished(self) -> None:
        for run_id in sorted(self._open):
            try:
                run = load_run(self.desk.home.documents, self.desk.ctx, run_id)
            except NotFound:
                continue
            if finished(run, load_records(self.desk.home.documents, self.desk.ctx, run_id)):
                self._open.discard(run_id)
                stdout.print(self._summary(run_id), markup=False)

    def _summary(self, run_id: str) -> str:
        view = run_object(self.desk.home, self.desk.ctx, run_id)
        return f"{view['source']}: {told_of(view)}  ({run_id})"

    def sweep(self) -> None:
        """Once a minute, find what was lost or cut short."""
        now, last = time.time(), self._swept_at
        if abs(now - last) > _SWEEP_EVERY_S:  # a clock may be put back
            self._swept_at = now
            recall_lapsed(self.desk.home)
            announce_missed(self.desk.home, now=now, last=last)
            resume_erasures(self.desk.home)
            self.desk.home.documents.remove_expired()


def told_of(run: Mapping[str, Any]) -> str:
    """Why it was refused, or which steps did what; those that were not needed are not named."""
    if "error" in run:
        return f"refused: {run['error']['message']}"
    done = [step["step"] for step in run["steps"] if step["artifacts"]]
    failed = [
        f"{one['step']} failed: {one['error']['message']}" for one in run["steps"] if one["error"]
    ]
    state = "partly done" if done and failed else run["state"]
    return f"{state}: {'; '.join([', '.join(done) or 'nothing to do', *failed])}"

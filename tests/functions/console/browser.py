"""A served home and a headless Chromium, for tests that look at the console as people do."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

REPOSITORY = Path(__file__).parents[3]
DEMO = REPOSITORY / "infra" / "demo" / "demo.mp4"
WORDS_MODEL = REPOSITORY / "tests" / "fixtures" / "whisper-tiny-words"
# The popup below the address, which nobody sees here, is a page of its own for each page that is opened,
# and takes more of the processor than the console. Chromium heeds the last such list alone: those of
# Playwright's are here, too.
SWITCHED_OFF = (
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "AimEnabled"),
    *("AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *("HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"),
    *("ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints"),
    *("NetworkTimeServiceQuerying", "PreconnectToSearch"),
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    f"--disable-features={','.join(SWITCHED_OFF)}",
)
PATIENCE_MS = 120_000
"""For what waits for steps or for a busy machine; nothing sleeps so long."""
RUN_MS = 480_000
"""For a whole run on a machine that does much else."""
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Served:
    """``rushes up`` over an empty home, with a Whisper of twenty words."""

    address: str

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.address + path) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def run_on(self, path: str, body: Any) -> Any:
        """Ask for a step and wait for its run."""
        run = self.post(path, body)
        while run["state"] in ("queued", "running"):
            run = self.get(f"/runs/{run['run_id']}?wait=60")
        return run

    def newest(self, asset_id: str, step: str) -> dict[str, Any]:
        """The step as the newest run that delivered it tells it."""
        for run in self.get(f"/runs?asset_id={asset_id}")["runs"]:
            for row in run["steps"]:
                if row["step"] == step and row["artifact_ids"]:
                    return dict(row)
        raise AssertionError(f"{step} never delivered")

    def artifact(self, artifact_id: str) -> dict[str, Any]:
        """As the API tells it."""
        return dict(self.get(f"/artifacts/{artifact_id}"))

    def content(self, asset_id: str, step: str, kind: str) -> Any:
        """The step's newest JSON artifact of this kind."""
        artifacts = [self.artifact(one) for one in self.newest(asset_id, step)["artifact_ids"]]
        return self.get(next(one["links"]["content"] for one in artifacts if one["kind"] == kind))


@contextmanager
def served_home(folder: Path) -> Iterator[Served]:
    """Run the command until the context ends."""
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "tiny").symlink_to(WORDS_MODEL)
    command = [sys.executable, "-m", "infra.command.main", "up", "--data", str(folder / "data")]
    environment = {**os.environ, "RUSHES_MODELS": str(folder / "models"), "PYTHONUNBUFFERED": "1"}
    with (folder / "errors.txt").open("w") as errors:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        found = _ADDRESS.search(process.stdout.readline())
        assert found, (folder / "errors.txt").read_text()
        yield Served(found.group())
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=60)
        finally:
            with_group_gone(process)


def with_group_gone(process: subprocess.Popen[str]) -> None:
    """Whatever a stuck command has left is killed, workers included."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's Chromium under Playwright; skips where one of the two is missing, but not in CI."""
    path = shutil.which("chromium")
    if path is None:
        _missing("chromium is not installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


def _missing(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Watch:
    """Everything that must not happen while a page is open."""

    host: str
    breaks: bool
    """The connection is meant to break, which the browser says."""
    troubles: list[str] = field(default_factory=list)

    def over(self, page: Any) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("request", self._asked)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning") and not (self.breaks and "ERR_" in message.text):
            self.troubles.append(f"console: {message.text}")

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self.host:
            self.troubles.append(f"request to {request.url}")


@contextmanager
def console_page(
    browser: Any,
    served: Served,
    *,
    width: int = 1440,
    height: int = 900,
    scheme: str = "dark",
    breaks: bool = False,
) -> Iterator[Any]:
    """A fresh page on the console; at its end: no console error, no request to elsewhere."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    watch = Watch(urlsplit(served.address).netloc, breaks)
    watch.over(page)
    page.goto(f"{served.address}/console/")
    yield page
    context.close()
    assert watch.troubles == [], watch.troubles


def upload_and_watch(page: Any, path: Path) -> str:
    """Upload through the page, wait for the recording's results; gives its id."""
    page.set_input_files("[data-test=file]", path)
    row = page.locator("a.row", has_text=path.name)
    state = row.locator(".row-state.done, .row-state.degraded, .row-state.failed")
    state.wait_for(timeout=RUN_MS)
    assert state.text_content() != "failed", page.locator("[data-run]").all_text_contents()
    return str(row.get_attribute("href")).rsplit("/", 1)[-1]


_AXE = """async () => {
  const rules = {"label-content-name-mismatch": {enabled: true}};
  const {violations} = await axe.run({rules});
  return violations.flatMap(({id, nodes}) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)}`));
}"""


def axe_finds(page: Any) -> list[str]:
    """What axe-core has to say against the page as it stands."""
    try:
        axe = files("axe_playwright_python") / "axe.min.js"
    except ImportError:
        _missing("axe-playwright-python is not installed")
    page.evaluate(axe.read_text())
    found: list[str] = page.evaluate(_AXE)
    return found


def open_asset(page: Any, asset_id: str) -> None:
    page.evaluate("(id) => { location.hash = `#/assets/${id}` }", asset_id)
    page.locator("[aria-label^='Waveform,']:not([aria-label$='read'])").wait_for()


def panel(page: Any, title: str) -> Any:
    page.get_by_role("tab", name=title).click()
    return page.get_by_role("tabpanel")


def position_s(page: Any) -> float:
    minutes, seconds = page.locator("[data-test=position]").text_content().split(":")
    return 60 * float(minutes) + float(seconds)


def wait_for_position(page: Any, after_s: float) -> None:
    page.wait_for_function(
        """(after) => {
          const [m, s] = document.querySelector("[data-test=position]").textContent.split(":");
          return 60 * Number(m) + Number(s) > after;
        }""",
        arg=after_s,
    )

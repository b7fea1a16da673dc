"""Take the README's pictures: the demo's clip in the console, and the folder of its results.

    python -m infra.demo.pictures [FOLDER]

Needs what the tests need: Chromium, playwright, and a model that hears words. FOLDER is docs/pictures.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from functions.wiring import engine_of
from infra.local.api import api_served
from shared.errors import MissingDependency
from shared.homes.home import open_home
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "infra" / "demo" / "demo.mp4"
CONSOLE, FOLDER = "console.png", "results-folder.png"
CONSOLE_SIZE, FOLDER_SIZE = (1280, 960), (1040, 1560)
"""Width and height of what is looked at, in CSS pixels."""
_FOLDER_SCALE = 0.75
"""The folder's page is long: it is shown smaller, so that words and files are seen."""
_COLOURS = 256
"""A palette of so many is a third of the bytes, and looks the same on a page."""
_PATIENCE_MS = 120_000


def take(into: Path) -> None:
    """Process the clip in a home of its own, and write both pictures into the folder ``into``."""
    with TemporaryDirectory() as scratch, chromium() as browser:
        data, out = Path(scratch) / "data", Path(scratch) / "out"
        asset_id, folder = _processed(data, out)
        home = open_home(Settings(data=data), engine_of)
        with api_served(home, None) as address:
            page = _page(browser, "dark", CONSOLE_SIZE)
            page.goto(f"{address}/console/#/assets/{asset_id}")
            page.locator("[aria-label^='Waveform,']:not([aria-label$='read'])").wait_for()
            page.locator("[data-lane=shots] canvas").wait_for()
            page.get_by_role("tab", name="Transcript").click()
            page.locator("[data-lane=loops] [role=option]").first.click()
            page.get_by_role("button", name="Play", exact=True).first.wait_for()  # it has ended
            page.evaluate("() => scrollTo(0, 0)")
            _write(page, into / CONSOLE)
        page = _page(browser, "light", FOLDER_SIZE, _FOLDER_SCALE)
        page.goto((folder / "index.html").as_uri())
        page.wait_for_function("() => document.querySelector('video').readyState >= 3")
        page.locator("video").evaluate("(video) => { video.controls = false }")  # no spinner
        page.evaluate("() => document.fonts.ready")
        _write(page, into / FOLDER)


def _processed(data: Path, out: Path) -> tuple[str, Path]:
    """The clip's id, and the folder that the command left."""
    command = [sys.executable, "-m", "infra.command.main", "process", str(CLIP), "--json"]
    command += ["--data", str(data), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    (run,) = json.loads(done.stdout)["runs"]
    return run["asset_id"], Path(run["folder"])


@contextmanager
def chromium() -> Iterator[Any]:
    """The system's Chromium; raises ``MissingDependency``."""
    path = shutil.which("chromium")
    if path is None:
        raise MissingDependency("chromium", None, "install Debian's chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise MissingDependency("playwright", None, "run `make test` once") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def _page(browser: Any, scheme: str, size: tuple[int, int], scale: float = 1.0) -> Any:
    page = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=scale,
        color_scheme=scheme,
        reduced_motion="reduce",
    ).new_page()
    page.set_default_timeout(_PATIENCE_MS)
    return page


def _write(page: Any, path: Path) -> None:
    from PIL import Image

    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    take(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures")

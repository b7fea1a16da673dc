"""Who is whom in several shots, and what cuts leave: the page's own reckoning, held to known answers."""

from __future__ import annotations

import base64
import subprocess
from typing import Any

import numpy as np
import pytest

from shared.contracts.edit_list import Edit
from shared.editing.edit_lists import new_edit
from shared.editing.time_map import derived_keeps
from tests.functions.console.browser import REPOSITORY
from tests.functions.console.conftest import ToyServer

FACES = REPOSITORY.parent / "shared" / "media" / "faces_video"

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(300)]

VIEWS = {
    "woman": [("book", 0.2, (274, 99, 53, 66)), ("book", 1.0, (274, 105, 54, 66))],
    "woman later": [("book", 2.0, (275, 99, 54, 70)), ("book", 2.8, (270, 103, 53, 69))],
    "man": [("eat", 0.2, (273, 96, 65, 88)), ("eat", 0.8, (264, 102, 68, 87))],
    "man later": [("sister", 0.2, (270, 96, 63, 84)), ("sister", 1.0, (267, 99, 62, 79))],
    "another man": [("again", 0.2, (290, 70, 67, 91)), ("again", 1.0, (290, 73, 65, 85))],
}
"""Recording, second, and the face as the detector found it, in pixels of 640 x 480."""

_GROUPS = """async ({views, tracks}) => {
  const own = document.querySelector("script[type=module]").src;
  const {people} = await import(new URL("people.js", own));
  const {FaceLook} = await import(new URL("looks.js", own));
  const looks = new Map();
  for (const [name, pictures] of Object.entries(views)) {
    const look = new FaceLook();
    for (const {png, box} of pictures) {
      const bytes = Uint8Array.from(atob(png), (sign) => sign.charCodeAt(0));
      look.add(await createImageBitmap(new Blob([bytes], {type: "image/png"})), box);
    }
    looks.set(name, look);
  }
  return people(tracks, looks);
}"""


def frame_of(name: str, at_s: float) -> str:
    path = FACES / f"{name}.mkv"
    if not path.exists():
        pytest.skip("the shared recordings are not on this machine")
    words = [
        "-ss",
        str(at_s),
        "-i",
        str(path),
        "-frames:v",
        "1",
        "-f",
        "image2",
        "-c:v",
        "png",
        "-",
    ]
    done = subprocess.run(["ffmpeg", "-v", "error", *words], check=True, capture_output=True)
    return base64.b64encode(done.stdout).decode()


def groups_of(page: Any, *, at_once: bool = False) -> list[list[str]]:
    views = {
        name: [
            {
                "png": frame_of(recording, at_s),
                "box": dict(zip(("x", "y", "width", "height"), parts(box), strict=True)),
            }
            for recording, at_s, box in seen
        ]
        for name, seen in VIEWS.items()
    }
    tracks = [
        {"track_id": name, "start_ms": 0 if at_once else 2000 * n, "end_ms": 2000 * n + 1900}
        for n, name in enumerate(VIEWS)
    ]
    found: list[list[str]] = page.evaluate(_GROUPS, {"views": views, "tracks": tracks})
    return found


def parts(box: tuple[int, int, int, int]) -> list[float]:
    return [value / whole for value, whole in zip(box, (640, 480, 640, 480), strict=True)]


def test_one_person_in_several_shots_is_one(toy_server: ToyServer, browser: Any) -> None:
    with toy_server.page(browser) as page:
        assert groups_of(page) == [["woman", "woman later"], ["man", "man later"], ["another man"]]
        assert len(groups_of(page, at_once=True)) == len(VIEWS), "nobody is in two places at once"


_KEEPS = """async (cases) => {
  const own = document.querySelector("script[type=module]").src;
  const {keepsOf} = await import(new URL("time-map.js", own));
  return cases.map(([edits, durationMs, rate]) => keepsOf(edits, durationMs, rate)
    .map(({startMs, endMs, speed, newStartMs}) => [startMs, endMs, speed, newStartMs]));
}"""


def some_edits(dice: np.random.Generator, duration_ms: int) -> list[Edit]:
    made = []
    for _ in range(int(dice.integers(0, 9))):
        start = float(np.round(dice.uniform(0, duration_ms - 400), 3))
        end = float(np.round(start + dice.uniform(60, 390), 3))
        kind = str(dice.choice(["cut", "shorten", "speed_up", "mute"]))
        amount = {"shorten": 40.0, "speed_up": float(dice.choice([1.5, 2.0, 7.3]))}.get(kind)
        edit = new_edit(kind, "silence", (start, end), amount=amount)  # type: ignore[arg-type]
        made.append(edit.model_copy(update={"taken_back": bool(dice.random() < 0.2)}))
    return made


def test_cuts_leave_in_the_page_what_they_leave_on_the_server(
    toy_server: ToyServer, browser: Any
) -> None:
    dice = np.random.default_rng(22)
    cases = [(some_edits(dice, 3000), 3000, rate) for rate in (8_000, 44_100, 48_000) * 40]
    with toy_server.page(browser) as page:
        sent = [[[one.model_dump() for one in edits], ms, rate] for edits, ms, rate in cases]
        found = page.evaluate(_KEEPS, sent)
    for keeps, (edits, duration_ms, rate) in zip(found, cases, strict=True):
        expected = derived_keeps(edits, duration_ms * rate // 1000, rate)
        rows = [[k.start_ms, k.end_ms, k.speed, k.new_start_ms] for k in expected]
        np.testing.assert_allclose(keeps, rows, atol=1e-5)

"""Run all combinations, or those whose names hold a word: ``python -m tests.formats [WORD...]``.

What was found is kept in build/formats.json, and the page tells of all that is there. Exits 1 where
something is wrong.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

from shared.watch.health import require
from tests.formats.judging import Verdict, judge_sound
from tests.formats.judging_pictures import judge_picture
from tests.formats.page import PAGE, Case, page
from tests.formats.pictures import cases as pictures
from tests.formats.sounds import SoundCase
from tests.formats.sounds import cases as sounds

KEPT = PAGE.parents[1] / "build" / "formats.json"


def every_case() -> list[Case]:
    """All combinations, in the page's order."""
    return [*sounds(), *pictures()]


def judge(case: Case) -> Verdict:
    """In a folder of its own, which is gone afterwards. What breaks is wrong, too."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            if isinstance(case, SoundCase):
                return judge_sound(case, Path(folder))
            return judge_picture(case, Path(folder))
        except Exception as error:  # noqa: BLE001 - the others are to be judged all the same
            return Verdict(case.name, "broken", [repr(error)[:500]])


def _judged(number: int) -> Verdict:
    return judge(every_case()[number])


def main(words: Sequence[str]) -> int:
    """The exit code."""
    cases = every_case()
    chosen = [n for n, case in enumerate(cases) if not words or any(w in case.name for w in words)]
    found = {} if not words else kept()
    with ProcessPoolExecutor(int(os.environ.get("FORMATS_PROCESSES", os.cpu_count() or 1))) as pool:
        for done in as_completed([pool.submit(_judged, number) for number in chosen]):
            verdict = done.result()
            found[verdict.name] = verdict
            if verdict.wrong:
                print(f"wrong: {verdict.name}: {'; '.join(verdict.wrong)}", flush=True)
    keep(found)
    judged = [(case, found[case.name]) for case in cases if case.name in found]
    wrong = sum(bool(verdict.wrong) for _, verdict in judged)
    refused = sum(bool(case.refused) for case, verdict in judged if not verdict.wrong)
    print(f"{len(judged)} of {len(cases)} combinations: {refused} rightly refused, {wrong} wrong")
    PAGE.write_text(page(judged, len(cases), require("ffmpeg")))
    return int(wrong > 0)


def kept() -> dict[str, Verdict]:
    """What earlier runs found, by name."""
    if not KEPT.exists():
        return {}
    return {row["name"]: Verdict(**row) for row in json.loads(KEPT.read_text())}


def keep(found: Mapping[str, Verdict]) -> None:
    """For later runs of a part."""
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps([asdict(verdict) for verdict in found.values()]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Run all combinations, or those whose names hold a word: ``python -m tests.formats [WORD...]``.

Without words the page is written. Exits 1 where something is wrong.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from shared.watch.health import require
from tests.formats.judging import Verdict, judge_sound
from tests.formats.judging_pictures import judge_picture
from tests.formats.page import PAGE, Case, page
from tests.formats.pictures import cases as pictures
from tests.formats.sounds import SoundCase
from tests.formats.sounds import cases as sounds


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
    with ProcessPoolExecutor(int(os.environ.get("FORMATS_PROCESSES", os.cpu_count() or 1))) as pool:
        verdicts = []
        for verdict in pool.map(_judged, chosen):
            verdicts.append(verdict)
            if verdict.wrong:
                print(f"wrong: {verdict.name}: {'; '.join(verdict.wrong)}", flush=True)
    judged = [(cases[n], verdict) for n, verdict in zip(chosen, verdicts, strict=True)]
    wrong = sum(bool(verdict.wrong) for verdict in verdicts)
    refused = sum(bool(case.refused) for case, verdict in judged if not verdict.wrong)
    print(f"{len(judged)} combinations: {refused} refused as they should be, {wrong} wrong")
    if not words:
        PAGE.write_text(page(judged, require("ffmpeg")))
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

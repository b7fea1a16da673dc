"""The benches still run into what they measure: nobody starts them every day."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import __main__ as benches
from tests.bench import report
from tests.bench.report import DOCS, KEPT, Row, loaded, quoted, rows_of
from tests.toy import wait_until

FOUND = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))


@pytest.mark.heavy
@pytest.mark.parametrize("name", FOUND)
def test_a_bench_finds_what_it_measures(name: str) -> None:
    assert callable(importlib.import_module(f"tests.bench.{name}").measure)


def test_what_stands_in_the_table_is_there() -> None:
    assert {f"bench_{name}" for name in benches.BOUNDS_S} <= set(FOUND)


def test_the_docs_quote_what_was_kept() -> None:
    text = DOCS.read_text()
    assert quoted(text, loaded(KEPT)) == text


def test_every_kept_row_says_whether_it_met_its_goal() -> None:
    kept = loaded(KEPT)
    rows = [row for taken in kept.values() for row in taken["rows"]]
    assert rows == [row.content() for _, row in rows_of(kept)]


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        ("ratio <= 1.5", True),
        ("ratio <= 1.4", False),
        ("ratio >= 1.6", False),
        ("ours <= 3", True),
        ("", None),
    ],
)
def test_a_goal_is_of_the_ratio_or_of_ours(goal: str, met: bool | None) -> None:
    assert Row("x", 3.0, 2.0, "s", goal).met is met


def test_a_row_without_a_number_met_nothing() -> None:
    assert Row("x", None, None, "", "ours <= 3").met is None
    assert Row("x", 3.0, None, "s", "ratio <= 3").met is None


class Started(subprocess.Popen[bytes]):
    """Is waited for from its first row on: a bound of half a second holds no interpreter's start."""

    def wait(self, timeout: float | None = None) -> int:
        told = Path(self.args[-1])  # type: ignore[arg-type]
        wait_until(lambda: self.poll() is not None or (told.exists() and told.read_text()))
        return super().wait(timeout)


@pytest.mark.parametrize(
    ("code", "bound_s", "why"),
    [
        ("print('no such tool'); raise SystemExit(3)", 60, "it broke (exit code 3): no such tool"),
        ("import time; time.sleep(60)", 0.5, "it took longer than 0 s: "),
    ],
)
def test_a_bench_that_breaks_is_a_row_beside_what_it_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, bound_s: float, why: str
) -> None:
    told = json.dumps(Row("first", 1.0, 2.0, "s").content())
    script = tmp_path / "python"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nopen(sys.argv[5], 'w').write({told!r})\n{code}\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(benches, "OUT", tmp_path)
    monkeypatch.setattr(benches, "BOUNDS_S", {"toy": bound_s})
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(subprocess, "Popen", Started)
    first, rest = benches.run("toy")["rows"]
    assert (first["what"], first["ratio"]) == ("first", 0.5)
    assert rest["ours"] is None and rest["why"].startswith(why)


def test_one_bench_s_rows_take_the_place_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benches, "TABLE", tmp_path / "table.json")
    values = iter((1.0, 2.0, 3.0))

    def run(name: str, *, at_length: bool) -> dict[str, object]:
        rows = [Row(name, next(values), 1.0, "s").content()]
        return {"cores": 2, "load": 0.1, "seconds": 5.0, "rows": rows}

    monkeypatch.setattr(benches, "run", run)
    for name in ("video", "flat", "video"):
        benches.measure([name])
    found = [(bench, row.ours) for bench, row in rows_of(loaded(benches.TABLE))]
    assert found == [("flat", 2.0), ("video", 3.0)]
    assert "| video | 3 s | 1 s | 3 |" in report.markdown(loaded(benches.TABLE))

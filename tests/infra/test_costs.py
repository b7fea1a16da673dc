"""What a test cost stays told, though the browser that it used is gone."""

from types import SimpleNamespace

import pytest

from tests.costs import Worker


def test_what_a_browser_took_stays_with_its_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([(0.0, 0.0), (9.0, 1.0), (2.0, 2.0)])
    monkeypatch.setattr(Worker, "_now", lambda _: next(times))
    worker, spent = Worker(), []
    for _ in range(2):
        report = SimpleNamespace()
        look = worker.pytest_runtest_makereport()
        next(look)
        with pytest.raises(StopIteration):
            look.send(report)
        spent.append(report.spent)
    assert spent == [(9.0, 1.0), (0.0, 1.0)]

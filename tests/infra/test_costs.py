"""What a test cost stays told, though the browser that it used is gone."""

from types import SimpleNamespace

import pytest

from tests.costs import Worker


def test_what_a_browser_took_stays_with_its_tests() -> None:
    times = iter([(0.0, 0.0), (9.0, 1.0), (2.0, 2.0)])

    class Watched(Worker):  # another one watches this very test where costs are asked for
        def _now(self) -> tuple[float, float]:
            return next(times)

    worker, spent = Watched(), []
    for _ in range(2):
        report = SimpleNamespace()
        look = worker.pytest_runtest_makereport()
        next(look)
        with pytest.raises(StopIteration):
            look.send(report)
        spent.append(report.spent)
    assert spent == [(9.0, 1.0), (0.0, 1.0)]

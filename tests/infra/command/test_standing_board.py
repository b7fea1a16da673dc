"""How far hundreds of recordings are, on a terminal of twenty lines."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from infra.command.standing_board import standing_board
from shared.contracts.step import Run, StepRecord, StepState

STEPS = ("probe", "transform.loudness")


def run(number: int, *states: StepState) -> tuple[Run, dict[str, StepRecord]]:
    made = Run(
        run_id=f"run_{number}",
        tenant_id="t1",
        env="dev",
        source=f"take [{number}].wav",
        planned=STEPS,
        created_at=1.0,
    )
    return made, {
        name: StepRecord(step=name, state=state) for name, state in zip(STEPS, states, strict=False)
    }


def shown(runs: list[tuple[Run, dict[str, StepRecord]]], lines: int, recordings: int) -> list[str]:
    out = Console(file=StringIO(), width=100)
    out.print(standing_board(runs, lines, recordings))
    assert isinstance(out.file, StringIO)
    return out.file.getvalue().splitlines()


def test_of_more_steps_than_lines_what_runs_is_seen_and_how_many_are_done() -> None:
    done = [run(number, StepState.DONE, StepState.DONE) for number in range(200)]
    waiting = [run(number, StepState.DONE, StepState.QUEUED) for number in range(200, 238)]
    running = [run(238, StepState.DONE, StepState.RUNNING)]
    rows = shown([*done, *waiting, *running], 20, 240)
    assert len(rows) < 20
    assert "take [238].wav" in rows[1] and "running" in rows[1]
    assert "take [200].wav" in rows[2], "then what waits, and none of what is done"
    assert "200 of 240 recordings done" in rows[-1] and " more" in rows[-1]


def test_one_step_more_is_one() -> None:
    waiting = [run(number, StepState.QUEUED) for number in range(4)]
    assert (
        "0 of 4 recordings done" in (last := shown(waiting, 10, 4)[-1])
        and "and 1 step more" in last
    )


def test_what_fits_is_seen_whole() -> None:
    rows = shown([run(1, StepState.DONE, StepState.RUNNING)], 20, 1)
    assert len(rows) == 3 and "done" in rows[1] and "running" in rows[2]

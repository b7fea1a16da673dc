"""Parts of long work outlive whoever made them, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.contracts.step_engine import Job
from shared.errors import BackendFailed, NotFound, Scarce
from shared.homes.home import Home
from shared.runs.erasing import erase_asset
from shared.steps.claims import Claim, claim_path
from tests.toy import CTX, Toy, drain, run_file, states


def parts(home: Home) -> list[str]:
    return [info.key for info in home.objects.list(CTX.object_prefix) if "/scratch/" in info.key]


def keep(job: Job, name: str = "one") -> bool:
    """Keep a part, unless it is there; was it?"""
    assert job.scratch is not None
    part = job.workdir.parent / "part"
    if job.scratch.get(name, part):
        assert part.read_text() == name
        return True
    part.write_text(name)
    job.scratch.put(name, part)
    return False


def test_the_next_attempt_finds_what_the_last_one_kept(
    home: Home, toy: Toy, tmp_path: Path
) -> None:
    found: list[bool] = []

    def during(job: Job) -> None:
        found.append(keep(job))
        if len(found) < 3:
            raise Scarce("toy", "capacity")

    toy.during = during
    run = run_file(home, tmp_path, steps=("toy.one",))
    assert found == [False, True, True]
    assert states(run)["toy.one"] == "done"
    assert parts(home) == []


@pytest.mark.allow_error_logs
@pytest.mark.parametrize("error", [BackendFailed("toy", "told to"), Scarce("toy", "told to")])
def test_nothing_is_left_of_work_that_was_given_up(
    home: Home, toy: Toy, tmp_path: Path, error: Exception
) -> None:
    def during(job: Job) -> None:
        keep(job)
        assert parts(home)
        raise error

    toy.during = during
    run = run_file(home, tmp_path, steps=("toy.one",))
    assert states(run)["toy.one"] == "failed"
    assert parts(home) == []


def test_a_crash_leaves_them_for_whoever_takes_over(home: Home, toy: Toy, tmp_path: Path) -> None:
    """Killed while it works: the claim is still `running`, its lease lapses, its message comes again."""
    crashes = iter([True])
    found: list[bool] = []

    def during(job: Job) -> None:
        found.append(keep(job))
        if next(crashes, False):
            claims = home.documents.list(f"{CTX.document_prefix}cache", where={"step": "toy.one"})
            document = next(iter(claims))
            claim = Claim.model_validate(document.data)
            lapsed = claim.model_copy(update={"lease_s": 0.0})
            path = claim_path(CTX, claim.cache_key)
            home.documents.update(path, lapsed.model_dump(mode="json"), version=document.version)

    toy.during = during
    run = run_file(home, tmp_path, steps=("toy.one",))
    drain(home)
    assert found == [False, True]
    assert states(run)["toy.one"] == "done" and parts(home) == []


@pytest.mark.allow_error_logs
def test_erasing_an_asset_erases_them(home: Home, toy: Toy, tmp_path: Path) -> None:
    kept: list[str] = []

    def during(job: Job) -> None:
        if not kept:
            keep(job)
            kept.extend(parts(home))
            erase_asset(home, CTX, job.asset_id)
            assert parts(home) == []
            keep(job, "late")

    toy.during = during
    with pytest.raises(NotFound):  # its run is gone, too
        run_file(home, tmp_path, steps=("toy.one",))
    assert kept and kept[0].startswith(f"{CTX.object_prefix}media_v2/")
    assert parts(home) == [], "also what the worker kept before it knew"

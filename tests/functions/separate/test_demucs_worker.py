"""A worker that is warm, that is killed when it must be, and whose troubles are told as what they are."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from functions.separate import host, part_sums
from functions.separate.host import Worker, warm_worker
from functions.separate.models import find_weights
from shared.errors import (
    BackendFailed,
    LeaseLost,
    MissingDependency,
    RushesError,
    TimedOut,
    Unavailable,
)
from tests.functions.separate.rig import MODEL, RATE_HZ, WEIGHTS, Separated, separate, song, write
from tests.toy import wait_until


@pytest.fixture(scope="module")
def source(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("source") / "song.wav", song(2.5)[1])


@pytest.fixture(scope="module")
def usual(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Separated:
    """What comes of it when nothing goes wrong."""
    return separate(source, tmp_path_factory.mktemp("usual"))


@pytest.fixture
def no_child_left() -> Iterator[None]:
    """Fails where a model's own child process outlives its worker."""
    yield
    wait_until(lambda: not _children_of_models())


def _bad_model(models: Path, how: str) -> str:
    from tests.functions.separate.bad_models import save  # torch takes a second to import

    return save(models, how)


def _children_of_models() -> list[int]:
    from tests.functions.separate.bad_models import CHILD_S

    sought = f"import time; time.sleep({CHILD_S})"
    return [p.pid for p in psutil.process_iter(["cmdline"]) if sought in (p.info["cmdline"] or [])]


def load(worker: Worker, model: str = MODEL) -> host.Loaded:
    return worker.load(model, find_weights(model), lambda: None)


@pytest.mark.heavy
def test_the_model_is_loaded_once(source: Path, tmp_path: Path) -> None:
    first = separate(source, tmp_path)
    process = warm_worker().process_id
    second = separate(source, tmp_path)
    assert process is not None and warm_worker().process_id == process
    assert first.metas == second.metas


@pytest.mark.heavy
def test_it_outlives_the_thread_that_asked(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel ends a child with the thread that started it. Nor is it a matter of whose folder it is."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    with closing(Worker()) as worker:
        asking = threading.Thread(target=load, args=(worker,))
        asking.start()
        asking.join()
        process = worker.process_id
        load(worker)
        assert worker.process_id == process


@pytest.mark.heavy
def test_one_that_has_left_is_replaced(models: Path) -> None:
    with closing(Worker()) as worker:
        load(worker)
        assert worker.process_id is not None
        gone = psutil.Process(worker.process_id)
        gone.terminate()
        wait_until(lambda: gone.status() == psutil.STATUS_ZOMBIE)
        assert load(worker).stems == ("drums", "bass", "other", "vocals")
        assert worker.process_id != gone.pid


@pytest.mark.heavy
def test_one_that_left_while_a_recording_was_decoded_is_replaced(
    source: Path, usual: Separated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits ten minutes for a piece; three hours on a slow disk take longer."""
    decoded, left = part_sums._read, []

    def slowly(*args: Any) -> Any:
        gone = psutil.Process(warm_worker().process_id)
        gone.terminate()
        wait_until(lambda: gone.status() == psutil.STATUS_ZOMBIE)
        left.append(gone.pid)
        return decoded(*args)

    monkeypatch.setattr(part_sums, "_read", slowly)
    assert separate(source, tmp_path).hashes == usual.hashes
    assert left and warm_worker().process_id not in left


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("greedy", (Unavailable, "memory is not available: demucs could not get enough")),
        ("killed", (Unavailable, "killed from outside")),
        ("crash", (BackendFailed, "SIGABRT")),
        ("raise", (BackendFailed, "ZeroDivisionError: told to")),
    ],
)
def test_a_broken_job_is_told_and_the_next_is_not_harmed(
    source: Path,
    usual: Separated,
    models: Path,
    tmp_path: Path,
    how: str,
    told: tuple[type[RushesError], str],
) -> None:
    error, words = told
    with pytest.raises(error, match=words) as caught:
        separate(source, tmp_path, model=_bad_model(models, how))
    assert str(models) not in str(caught.value.to_json())
    assert warm_worker().process_id is None
    assert separate(source, tmp_path).hashes == usual.hashes


@pytest.mark.heavy
@pytest.mark.usefixtures("no_child_left")
def test_a_hang_ends_with_the_whole_group(
    source: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = _bad_model(models, "hang")
    load(warm_worker(), hanging)
    monkeypatch.setattr(host, "JOB_TIMEOUT_S", 5.0)
    with pytest.raises(TimedOut, match="demucs did not finish within 5 s"):
        separate(source, tmp_path, model=hanging)
    assert warm_worker().process_id is None


@pytest.mark.heavy
@pytest.mark.usefixtures("no_child_left")
def test_a_lost_lease_ends_it_in_the_middle_of_a_piece(
    source: Path, models: Path, tmp_path: Path
) -> None:
    hanging = _bad_model(models, "hang")

    def progress(_fraction: float) -> None:
        if _children_of_models():
            raise LeaseLost(2)

    with pytest.raises(LeaseLost):
        separate(source, tmp_path, model=hanging, progress=progress)
    assert warm_worker().process_id is None


@pytest.mark.heavy
def test_it_goes_before_the_machine_runs_out_of_memory(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "LEAST_FREE_BYTES", 1 << 60)
    with pytest.raises(Unavailable, match="MiB of it were left"):
        separate(source, tmp_path)
    assert warm_worker().process_id is None
    assert 0 < host.available_bytes() < 1 << 60


@pytest.mark.heavy
def test_missing_weights_name_the_model_and_the_place(source: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingDependency) as caught:
        separate(source, tmp_path, model="htdemucs")
    told = caught.value.to_json()
    assert told["dependency"] == "demucs-htdemucs"
    assert "955717e8-8726e21a.th" in told["message"] and "docs/separation.md" in told["message"]
    with pytest.raises(MissingDependency, match=r"known: htdemucs, .*tiny_band"):
        separate(source, tmp_path, model="htdemucs_7s")


@pytest.mark.heavy
def test_an_empty_model_folder_and_damaged_weights(
    source: Path, models: Path, tmp_path: Path
) -> None:
    (models / "empty").mkdir()
    with pytest.raises(MissingDependency, match=r"put empty\.th into .*empty"):
        separate(source, tmp_path, model="empty")
    (models / "damaged").mkdir()
    (weights,) = WEIGHTS.glob("*.th")
    damaged = bytearray(weights.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (models / "damaged" / weights.name.replace(MODEL, "damaged")).write_bytes(damaged)
    with pytest.raises(BackendFailed, match="weights cannot be used: Invalid checksum"):
        separate(source, tmp_path, model="damaged")


@pytest.mark.heavy
def test_a_bag_of_models_and_the_form_without_pickles(
    source: Path, usual: Separated, models: Path, tmp_path: Path
) -> None:
    """As demucs 4.1 publishes its models, and as it did before: the same stems come out."""
    for name in ("bag", "safe"):
        (models / name).mkdir()
        (models / name / f"{name}.yaml").write_text("models: ['one', 'one']\n")
    (weights,) = WEIGHTS.glob("*.th")
    shutil.copy(weights, models / "bag" / "one.th")
    _save_safe(models / "safe" / "one.safetensors")
    bag, safe = (separate(source, tmp_path, model=name) for name in ("bag", "safe"))
    assert bag.metas[0]["runtime"]["models"] == 2
    assert safe.hashes == bag.hashes
    difference = bag.stem("drums") - usual.stem("drums")
    assert abs(difference).max() < 1e-6, "two equal models vote for the same"


def _save_safe(path: Path) -> None:
    import torch
    from demucs.hf import load_safetensors_model
    from demucs.pretrained import get_model
    from safetensors.torch import save_file

    model = get_model(MODEL, repo=WEIGHTS)
    args, kwargs = model._init_args_kwargs

    def plain(value: Any) -> Any:
        return {
            "_type": "fraction",
            "numerator": value.numerator,
            "denominator": value.denominator,
        }

    metadata = {
        "klass": "demucs.htdemucs.HTDemucs",
        "args": json.dumps(args),
        "kwargs": json.dumps(kwargs, default=plain),
    }
    state = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(state, path, metadata=metadata)
    assert isinstance(load_safetensors_model(path), torch.nn.Module)


@pytest.mark.heavy
def test_the_readiness_probe(models: Path) -> None:
    """It says so only with the model loaded; here the default one is not, the tiny band's is."""
    from flask import Flask, request

    from functions.separate.main import main, ready

    with Flask("test").test_request_context("/ready"):
        body, status = main(request)
    assert status == 503 and "demucs-htdemucs" in body
    body, status = ready(MODEL)
    assert status == 200 and '"ready": true' in body and '"device": "' in body
    assert warm_worker().process_id is not None


@pytest.mark.heavy
def test_the_command_line_is_the_checked_interface(
    source: Path, usual: Separated, tmp_path: Path
) -> None:
    """What the health probe finds is what ``python -m demucs`` runs, with the same model folder."""
    import subprocess
    import sys

    from shared.watch.health import check

    assert check("demucs").status == "ok"
    words = ["--repo", WEIGHTS, "-n", MODEL, "--shifts", "0", "--int24", "--clip-mode", "none"]
    done = subprocess.run(
        [sys.executable, "-m", "demucs", *words, "-o", tmp_path / "cli", source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = sorted(path.stem for path in (tmp_path / "cli" / MODEL / "song").glob("*.wav"))
    assert found == sorted(output.name for output in usual.result.outputs)


@pytest.mark.heavy
def test_a_stem_is_as_long_as_its_recording(usual: Separated) -> None:
    assert {meta["frames"] for meta in usual.metas} == {int(2.5 * RATE_HZ)}

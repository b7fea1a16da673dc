"""The process that holds the model: it loads it once and works through its caller's jobs.

    python -m functions.separate.demucs_worker FD

Over the socket ``FD`` come JSON lines, one job at a time, and go JSON lines back: ``{"segments": n}``
while a job runs, then its answer, or ``{"error": kind, "reason": words}``. Samples pass through files
that both sides see. It leaves when its caller closes the socket, and on a CPU after ten minutes
without a job, for the model's memory is then better used.

    {"do": "load", "model", "folder"}                            -> what ``host.Loaded`` holds
    {"do": "separate", "mix", "frames", "lead", "piece", ...}    -> {"frames": n}, the sums behind ``out``

The second's fields are those of ``part_sums._task``. Both sides are one version of the code, on one machine:
nothing of this is kept, and no field is checked. Kinds of error: ``package``, ``missing`` and ``weights``
(of a model), ``memory``, ``failed``.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from functions.separate.grid import Grid, weights

if TYPE_CHECKING:
    import torch

IDLE_S = 600.0
"""Longer keeps the model's memory for a job that may come, shorter starts and loads again more often."""


class Refused(Exception):
    """A job that cannot be done; ``kind`` says why, in the caller's terms."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class Separator:
    """One model on one device."""

    def __init__(self) -> None:
        try:
            import torch
        except Exception as error:
            raise Refused("package", f"torch cannot be imported: {error}") from error
        self._torch = torch
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        if self.device == "cuda":
            # The same job is to give the same bits: no search for the fastest algorithm, no TF32.
            torch.use_deterministic_algorithms(True, warn_only=True)
            torch.backends.cudnn.benchmark = False
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cuda.matmul.allow_tf32 = False
        self._loaded: tuple[Any, ...] = ()
        self._facts: dict[str, Any] = {}
        self._model: Any = None

    def load(self, job: dict[str, Any]) -> dict[str, Any]:
        """Load a model, unless it is there already, and tell what it is, as ``host.Loaded`` has it.

        One is held at a time: the former goes before the next is read. Raises ``Refused``.
        """
        wanted = (job["model"], job["folder"])
        if self._loaded != wanted:
            self._model, self._loaded = None, ()
            model, sha256 = _read_model(*wanted)
            model.to(self.device)
            self._model, self._loaded = model, wanted
            self._facts = self._describe(model, sha256)
        return self._facts

    def separate(self, job: dict[str, Any], connection: socket.socket) -> dict[str, Any]:
        """The weighted sums of a piece, behind what is in a file: ``(frames, stems, channels)``, float32.

        Memory holds the piece's window and its sums, of as many stems; the model sees a segment at a time.
        """
        facts = self._facts
        frames = job["frames"] + job["lead"]
        grid = Grid(frames, facts["segment_frames"], facts["padding_frames"])
        piece = range(*job["piece"])
        first, last = grid.span(piece)
        window = _window(job, grid.window(piece))
        shape = (last - first, len(facts["stems"]), window.shape[0])
        sums, triangle = np.zeros(shape, np.float32), weights(grid.segment_frames)[:, None, None]
        base = grid.window(piece)[0]
        for number, start in enumerate(piece, 1):
            found = self._one(window, start - base, grid.segment_frames)
            sums[start - first : start - first + len(found)] += triangle[: len(found)] * found
            _send(connection, {"segments": number})
        with Path(job["out"]).open("ab") as file:
            sums.tofile(file)
        return {"frames": len(sums)}

    def _one(self, window: Any, at: int, segment_frames: int) -> Any:
        """One segment, as ``demucs.apply.apply_model`` does it: ``(frames, stems, channels)``, float32.

        ``window``: ``(channels, frames)``, of which the segment begins at ``at``; at its end it is shorter. A
        model that wants another length gets what lies around the segment, then zeros.
        """
        from demucs.apply import TensorChunk, apply_model

        mix = self._torch.from_numpy(window)[None]
        chunk = TensorChunk(mix, at, segment_frames)  # type: ignore[no-untyped-call]
        found = apply_model(self._model, chunk, shifts=0, split=False, device=self.device)[0]
        return np.ascontiguousarray(found.cpu().numpy().transpose(2, 0, 1))

    def _describe(self, model: Any, sha256: str) -> dict[str, Any]:
        """``host.Loaded``'s fields. Of a bag the shortest segment counts: one grid serves all its models."""
        models = getattr(model, "models", [model])
        segment_s = min(float(one.segment) for one in models)
        segment_frames = int(segment_s * model.samplerate)
        seen_frames = max(
            one.valid_length(segment_frames) if hasattr(one, "valid_length") else segment_frames
            for one in models
        )
        return {
            "stems": list(model.sources),
            "sample_rate_hz": int(model.samplerate),
            "channels": int(model.audio_channels),
            "segment_frames": segment_frames,
            "padding_frames": seen_frames - segment_frames,
            "models": len(models),
            "sha256": sha256,
            "device": self.device,
            "device_name": self._torch.cuda.get_device_name() if self.device == "cuda" else None,
            "threads": self._torch.get_num_threads() if self.device == "cpu" else None,
            "torch": self._torch.__version__.split("+")[0],
            "demucs": version("demucs"),
        }


@cache
def separator() -> Separator:
    """This process's only one; made when the first job comes, so that its caller hears of failures."""
    return Separator()


def _window(job: dict[str, Any], window: tuple[int, int]) -> Any:
    """The piece's samples, normalised as demucs does: ``(channels, frames)``, zeros before the start.

    ``window`` counts in the lane's frames, its lead included; the file begins at the recording's
    ``mix_first``.
    """
    flat = np.memmap(job["mix"], dtype="<f4", mode="r")
    stretch = flat.reshape(-1, job["source_channels"])  # from the recording's frame `mix_first` on
    begin, end = (max(0, at - job["lead"]) - job["mix_first"] for at in window)
    found = stretch[begin:end, job["columns"]].T
    samples = np.zeros((len(job["columns"]), window[1] - window[0]), np.float32)
    samples[:, samples.shape[1] - found.shape[1] :] = (found - job["mean"]) / job["deviation"]
    return samples


def _read_model(name: str, folder: str | None) -> tuple[torch.nn.Module, str]:
    """The model and the SHA-256 of its weights; without a folder, from the hub's cache."""
    from demucs.repo import ModelLoadingError

    try:
        model = _from_folder(name, Path(folder)) if folder else _from_hub_cache(name)
    except ModelLoadingError as error:
        kind = "weights" if "checksum" in str(error) else "missing"
        raise Refused(kind, str(error)) from error
    except FileNotFoundError as error:
        raise Refused("missing", str(error)) from error
    except Exception as error:
        if _out_of_memory(error):
            raise
        raise Refused("weights", f"{type(error).__name__}: {error}") from error
    model.eval()
    return model, _weights_sha256(model)


def _from_folder(name: str, folder: Path) -> Any:
    from demucs.pretrained import REMOTE_ROOT
    from demucs.repo import AnyModelRepo, BagOnlyRepo, LocalRepo

    described = (folder / f"{name}.yaml").is_file()
    if described and any(folder.glob("*.safetensors")):
        return _from_safetensors(folder / f"{name}.yaml")
    models = LocalRepo(folder)
    return AnyModelRepo(
        models, BagOnlyRepo(folder if described else REMOTE_ROOT, models)
    ).get_model(name)


def _from_safetensors(bag_file: Path) -> Any:
    """The form in which demucs 4.1 publishes its models: the same bags, nothing pickled."""
    import yaml
    from demucs.apply import BagOfModels
    from demucs.hf import load_safetensors_model

    bag = yaml.safe_load(bag_file.read_text())
    folder = bag_file.parent
    models = [load_safetensors_model(folder / f"{name}.safetensors") for name in bag["models"]]
    return BagOfModels(models, bag.get("weights"), bag.get("segment"))


def _from_hub_cache(name: str) -> Any:
    from demucs.hf import get_hf_model

    return get_hf_model(name)


def _weights_sha256(model: Any) -> str:
    """Over all tensors' names and bytes, in the order of names: of what was loaded, not of the file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    return digest.hexdigest()


def _out_of_memory(error: BaseException) -> bool:
    """Torch raises ``RuntimeError``, which only its words tell from others, on CPUs and on GPUs."""
    words = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and ("out of memory" in words or "can't allocate memory" in words)
    )


def _send(connection: socket.socket, answer: dict[str, Any]) -> None:
    connection.sendall(json.dumps(answer).encode() + b"\n")


def _answer(job: dict[str, Any], connection: socket.socket) -> dict[str, Any]:
    try:
        if job["do"] == "load":
            return separator().load(job)
        return separator().separate(job, connection)
    except Refused as error:
        return {"error": error.kind, "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
        kind = "memory" if _out_of_memory(error) else "failed"
        return {"error": kind, "reason": f"{type(error).__name__}: {error}"}


def serve(connection: socket.socket) -> None:
    """Work until the caller is gone, or idle."""
    lines = connection.makefile("rb")
    with suppress(TimeoutError, BrokenPipeError, ConnectionResetError):
        while line := lines.readline():
            _send(connection, _answer(json.loads(line), connection))
            connection.settimeout(_patience_s())


def _patience_s() -> float | None:
    """On a GPU it stays: such a machine is there for nothing else."""
    return None if "torch" in sys.modules and separator().device == "cuda" else IDLE_S


def main() -> None:
    """Serve the socket that the caller handed down."""
    # Before any of torch is imported: cuBLAS needs a fixed workspace to be deterministic; and threads
    # that wait are to sleep, for where other steps keep the cores busy, spinning ones cost four times
    # the time.
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ["HF_HUB_OFFLINE"] = "1"
    with suppress(OSError):
        # When memory runs out, the kernel is to end this process, and not its caller.
        Path("/proc/self/oom_score_adj").write_text("1000")
    serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()

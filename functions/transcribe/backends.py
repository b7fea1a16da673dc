"""Which implementation hears: faster-whisper with librosa's methods, or the stub; and its version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from functions.transcribe.whisper import (
    DEFAULT_MODEL,
    USUAL_COMPUTE,
    compute_type,
    model_name,
    present_model,
    weights,
)
from shared.contracts.step_engine import Backend, Dependency
from shared.watch.health import report

REFERENCE: Mapping[str, str] = {"faster-whisper": "1.2", "librosa": "0.11"}
"""The releases that a plain version speaks of; another is named in it, for it may hear otherwise."""
_WEIGHTS = "whisper-"


def whisper_backend(
    name: str, base: str, packages: Sequence[str], model: str, stub: str, device: str = "cpu"
) -> Backend:
    """The real backend called ``name``; the stub ``stub`` where one of ``packages`` is missing.

    Where ``model`` is not installed and another stands in, the version and ``dependencies`` name that
    one. Missing weights don't change the backend: its ``dependencies`` say so. Raises ``Unavailable``
    where a package cannot be judged just now.
    """
    found = {package: report(package) for package in packages}
    known = {package: one.dependency for package, one in found.items()}
    if any(one.status != "ok" for one in found.values()):
        return stub_backend(stub, known)
    model = present_model(model)
    known[weights_name(model)] = weights(model)
    version = base + compute_suffix(device) + version_suffix(model, known)
    return Backend(name, version, dependencies=known)


def stub_backend(version: str, known: Mapping[str, Dependency] | None = None) -> Backend:
    """The stub: no words, only a pattern that follows from the duration."""
    return Backend("stub", version, stub=True, dependencies=known or {})


def model_used(backend: Backend, asked: str) -> str:
    """The model that ``backend`` hears with: ``asked``, or what stands in for it."""
    named = [name for name in backend.dependencies if name.startswith(_WEIGHTS)]
    if not named or weights_name(asked) in named:
        return asked
    return named[0].removeprefix(_WEIGHTS)


def stood_in(backend: Backend, asked: str) -> str | None:
    """What people are told where another model stood in; ``None`` where it is the one asked for."""
    used = model_used(backend, asked)
    return None if used == asked else f"heard with {used}, for {asked} is not installed"


def weights_name(model: str) -> str:
    """What a model's weights are called among the dependencies: ``whisper-tiny``."""
    return f"{_WEIGHTS}{model_name(model)}"


def compute_suffix(device: str) -> str:
    """What computes, where it is not int8 on a CPU: ``+float32``, ``+cuda`` (float16), ``+cuda+int8``.

    Other numbers hear other words now and then, so no result of one answers for another. The kind of
    processor is not part of it: workers of several kinds share a bucket, and a message may reach any.
    """
    compute = compute_type(device)
    parts = [] if device == "cpu" else [device]
    parts += [] if compute == USUAL_COMPUTE[device] else [compute]
    return "".join(f"+{part}" for part in parts)


def version_suffix(model: str, known: Mapping[str, Dependency]) -> str:
    """What differs from the default model and the reference releases: ``+small+librosa-0.12``."""
    parts = [] if model == DEFAULT_MODEL else [model_name(model)]
    for package, release in REFERENCE.items():
        version = known[package].version if package in known else None
        if version and version.split(".")[:2] != release.split("."):
            parts.append(f"{package}-{'.'.join(version.split('.')[:2])}")
    return "".join(f"+{part}" for part in parts)

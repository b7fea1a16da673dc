"""Print what one function's image installs: the product's own requirements, Google's, the function's.

python requirements.py PYPROJECT FUNCTION VARIANT
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

HOME = "google"
"""The extra of the home that an image works in."""
ALSO = {"api": ("s3",)}
"""Further extras: the API takes in from other stores."""
GPU = {
    # CTranslate2 brings no CUDA libraries of its own; torch, for separate, does.
    "transcribe": ("nvidia-cublas-cu12>=12,<13", "nvidia-cudnn-cu12>=9,<10"),
}


def requirements(pyproject: Path, function: str, variant: str = "cpu") -> list[str]:
    """Requirement lines; raises ``SystemExit`` for a function without an extra of its name."""
    project = tomllib.loads(pyproject.read_text())["project"]
    extras = project["optional-dependencies"]
    if function not in extras:
        raise SystemExit(f"pyproject.toml has no extra {function!r}: state what the function needs")
    if variant not in ("cpu", "gpu"):
        raise SystemExit(f"the variant is cpu or gpu, not {variant!r}")
    gpu = GPU.get(function, ()) if variant == "gpu" else ()
    also = [line for name in ALSO.get(function, ()) for line in extras[name]]
    own = f"{project['name']}["  # the embedded home brings all functions' extras; an image has one
    common = [line for line in project["dependencies"] if not line.startswith(own)]
    return [*common, *extras[HOME], *extras[function], *also, *gpu]


if __name__ == "__main__":
    print("\n".join(requirements(Path(sys.argv[1]), *sys.argv[2:])))

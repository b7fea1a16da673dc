"""Run the benches: all, or those named.

python -m tests.bench [NAME...]        bench_NAME.py, each with a ``main()``
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

FOUND = sorted(
    path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")
)

if __name__ == "__main__":
    for name in sys.argv[1:] or FOUND:
        importlib.import_module(f"tests.bench.bench_{name}").main()

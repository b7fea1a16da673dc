"""Run the benches: all, or those named.

python -m tests.bench [NAME...]        bench_NAME.py, each with a ``main()``
python -m tests.bench keep             what was measured last is what is compared with from now on
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.bench.report import keep

FOUND = sorted(
    path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")
)

if __name__ == "__main__":
    if sys.argv[1:] == ["keep"]:
        keep()
        sys.exit()
    for name in sys.argv[1:] or FOUND:
        importlib.import_module(f"tests.bench.bench_{name}").main()

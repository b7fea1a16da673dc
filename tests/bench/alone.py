"""One bench, in this process: python -m tests.bench.alone NAME (usual | long) FILE, a line a row."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main(name: str, how: str, file: Path) -> None:
    """Append each row to ``file`` as it comes; ``long``: those that ``measure_long()`` yields."""
    bench = importlib.import_module(f"tests.bench.bench_{name}")
    rows = bench.measure_long() if how == "long" else bench.measure()
    for row in rows:
        line = json.dumps(row.content())
        print(line, flush=True)
        with file.open("a") as told:
            told.write(line + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))

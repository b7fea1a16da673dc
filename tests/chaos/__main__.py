"""The long form, `make chaos`: several hundred uploads; prints what happened and what came out.

    python -m tests.chaos [--uploads 500] [--seed 1] [--away 120]

Exits with an error if anything was lost, done twice or left over.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from shared.watch.log import configure
from tests.chaos.calm import check
from tests.chaos.stage import stage
from tests.chaos.storm import Storm

EVENTS = (
    *("kill", "kill", "freeze_firestore", "kill", "fill_disk", "freeze", "kill", "restart_bucket"),
    *("erase", "burst", "kill_ffmpeg", "poison", "erase", "freeze", "erase", "kill_ffmpeg"),
    *("kill", "freeze_pubsub", "kill", "fill_disk", "bucket_away", "erase", "kill", "freeze"),
    *("restart_pubsub", "erase", "burst", "kill", "kill_ffmpeg", "poison", "freeze", "kill"),
)


def main() -> None:
    """Blow, count, tell."""
    words = argparse.ArgumentParser(prog="python -m tests.chaos")
    words.add_argument("--uploads", type=int, default=500)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--away", type=float, default=120.0, help="seconds without the bucket")
    wanted = words.parse_args()
    configure("CRITICAL")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, stage(Path(folder)) as built:
        storm = Storm(built, random.Random(wanted.seed), away_s=wanted.away)
        storm.blow(wanted.uploads, events=EVENTS, pause_s=(2.0, 6.0))
        told = check(storm)
    told["seconds"] = round(time.monotonic() - began)
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()

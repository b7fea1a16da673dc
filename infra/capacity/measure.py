"""Measure what each step takes on this machine, and what it asks of the stores; writes rates.json.

    python -m infra.capacity.measure [STEP...]

The demo's clip and a longer one made of it are processed in an embedded home, one message at a time,
in this process. Counted are CPU seconds (its own and its children's, which neighbours on the machine
hardly change, unlike wall time), reads and writes of documents and objects, messages, and bytes. A
line through the two lengths gives a fixed part and a part per second of media. Where steps are named,
only these get new rates. A step that fails is left out.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from functions.wiring import engine_of
from infra.local.handlers import handler_of
from shared.contracts.context import RequestContext
from shared.contracts.topics import DEAD_TOPIC, RESULTS_TOPIC
from shared.homes.bus import Bus, Outgoing
from shared.homes.documents import Documents
from shared.homes.home import consumed_topics, open_home
from shared.homes.objects import Objects
from shared.messages.delivery import deliver
from shared.pipeline import PROBE
from shared.runs.intake import Wishes
from shared.runs.uploading import upload
from shared.settings import Settings
from shared.watch.log import configure

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "infra" / "demo" / "demo.mp4"
RATES = Path(__file__).with_name("rates.json")
CTX = RequestContext(tenant_id="measure", env="dev")
DEMO_S = 20.0
REPEATS = 3
"""The longer clip is so many times the demo's."""

_DOCUMENTS = {
    "get": "document_reads",
    "get_all": "document_reads",
    "list": "document_reads",
    "newest": "document_reads",
    "list_group": "document_reads",
    "create": "document_writes",
    "create_all": "document_writes",
    "update": "document_writes",
    "put": "document_writes",
    "delete": "document_deletes",
}
_OBJECTS = {
    "put": "objects_written",
    "create_all": "objects_written",
    "copy": "objects_written",
    "list": "object_lists",
    "stat": "object_reads",
    "read": "object_reads",
}


class Counted:
    """A store whose calls are counted; of a listing, what it yields (and one for an empty one)."""

    def __init__(self, inner: object, names: Mapping[str, str], counts: Counter[str]) -> None:
        self._inner, self._names, self._counts = inner, names, counts

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._names:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            answer = found(*args, **kwargs)
            if name in ("get_all", "create_all"):
                self._counts[self._names[name]] += len(args[0])
                if self._names[name] == "objects_written":
                    self._counts["object_bytes"] += sum(info.size for info in answer.values())
                return answer
            if name in ("list", "newest", "list_group"):
                return self._each(self._names[name], answer)
            self._counts[self._names[name]] += 1
            if name in ("put", "copy") and hasattr(answer, "size"):
                self._counts["object_bytes"] += answer.size
            return answer

        return call

    def _each(self, unit: str, found: Iterator[Any]) -> Iterator[Any]:
        rows = list(found)
        self._counts[unit] += max(1, len(rows))
        yield from rows


class CountedBus:
    """A bus whose messages are counted; the rest is the bus's own."""

    def __init__(self, inner: Bus, counts: Counter[str]) -> None:
        self._inner, self._counts = inner, counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def publish_all(self, messages: Sequence[Outgoing]) -> None:
        """Publish and count each."""
        for one in messages:
            self.publish(one.topic, one.data, one.attributes)

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> str:
        """Publish and count, and remember what failed."""
        if attributes.get("type") == "step.failed":
            self._counts["failed"] += 1
        kind = "results" if topic == RESULTS_TOPIC else "requests"
        self._counts[f"messages_{kind}"] += 1
        self._counts["message_bytes"] += len(data) + sum(
            len(name) + len(value) for name, value in attributes.items()
        )
        return self._inner.publish(topic, data, attributes)


def process(clip: Path, folder: Path, only: Sequence[str]) -> dict[str, Counter[str]]:
    """Step -> what it took, for ``only`` these steps, or those that run on upload."""
    counts: Counter[str] = Counter()
    plain = open_home(Settings(home="embedded", data=folder), engine_of)
    home = replace(
        plain,
        objects=cast(Objects, Counted(plain.objects, _OBJECTS, counts)),
        documents=cast(Documents, Counted(plain.documents, _DOCUMENTS, counts)),
        bus=cast(Bus, CountedBus(plain.bus, counts)),
    )
    upload(plain, CTX, str(clip), wishes=Wishes(steps=tuple(only) or None))
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    topics = {
        topic: name
        for topic, name in consumed_topics().items()
        if topic not in (RESULTS_TOPIC, DEAD_TOPIC)
    }
    while deliveries := plain.bus.pull(list(topics), wait_s=1):
        for delivery in deliveries:
            counts.clear()
            step = delivery.message.attributes.get("step", PROBE)
            begun, cpu = time.monotonic(), _cpu_s()
            again = deliver(delivery.message, home, handler_of(topics[delivery.subscription]))
            if again is not None:  # a probe of a package that a busy machine made too slow, say
                plain.bus.nack(delivery)
                continue
            plain.bus.ack(delivery)
            took = {"cpu_s": _cpu_s() - cpu, "wall_s": time.monotonic() - begun}
            seen[step].update({**counts, **took})
    return {step: took for step, took in seen.items() if not took["failed"]}


def _cpu_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def line(short: float, long: float, short_s: float, long_s: float) -> dict[str, float]:
    """The line through two measurements: ``fixed`` and ``per_media_s``, neither negative."""
    slope = max(0.0, (long - short) / (long_s - short_s))
    return {
        "fixed": _rounded(max(0.0, min(short, long) - slope * short_s)),
        "per_media_s": _rounded(slope),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def clips(folder: Path) -> tuple[Path, Path]:
    """The demo's clip, and the longer one made of it without encoding again."""
    long = folder / "long.mp4"
    command = ["ffmpeg", "-v", "error", "-stream_loop", str(REPEATS - 1), "-i", str(DEMO)]
    subprocess.run([*command, "-c", "copy", str(long)], check=True)
    return DEMO, long


def rates(only: Sequence[str], say: Callable[[str], None]) -> dict[str, Any]:
    """All that is measured, as rates.json keeps it under ``measured``."""
    with tempfile.TemporaryDirectory(prefix="rushes-capacity-") as name:
        folder = Path(name)
        short, long = clips(folder)
        # Imports and caches are the instance's, not the message's.
        process(short, folder / "warm", only)
        say("warm")
        measured = [process(clip, folder / clip.stem, only) for clip in (short, long)]
        sizes = short.stat().st_size, long.stat().st_size
    lengths = DEMO_S, DEMO_S * REPEATS
    steps = {}
    for step in measured[1]:
        first, second = measured[0].get(step), measured[1][step]
        if first is None:
            continue
        units = sorted({*first, *second} - {"wall_s"})
        steps[step] = {unit: line(first[unit], second[unit], *lengths) for unit in units}
        busy = second["cpu_s"] / second["wall_s"]
        steps[step]["busy_cores"] = {"fixed": _rounded(busy), "per_media_s": 0.0}
    return {
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        "how": "python -m infra.capacity.measure: infra/demo/demo.mp4 (20 s, 320x240) and the same"
        f" {REPEATS} times over, each step alone in one process, embedded home; CPU seconds of"
        " the process and its children",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python"
        f" {platform.python_version()}; shared with other work while this ran",
        "upload_bytes": line(sizes[0], sizes[1], *lengths),
        "steps": steps,
    }


def main() -> None:
    """Measure, and replace what rates.json says was measured; assumptions stay."""
    configure("WARNING")
    only = sys.argv[1:]
    found = rates(only, lambda text: print(text, file=sys.stderr))
    standing = json.loads(RATES.read_text())
    if only:
        anew = {step: found["steps"][step] for step in only}
        found["steps"] = {**standing["measured"]["steps"], **anew}
    RATES.write_text(json.dumps({**standing, "measured": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()

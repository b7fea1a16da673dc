"""What only the embedded store promises: to outlive its processes, the disk, and people."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest

from shared.errors import ValidationError
from shared.homes.objects import ObjectInfo, Objects
from shared.homes.objects.embedded_objects import EmbeddedObjects
from shared.homes.objects.index import Index, Transaction

ROOT = Path(__file__).parents[4]
KEY = "tenants/t1/dev/uploads/Take 3.wav"


def put(objects: Objects, key: str, data: bytes, **options: Any) -> ObjectInfo:
    return objects.put(key, data, content_type="audio/wav", **options)


@pytest.fixture
def embedded(tmp_path: Path) -> EmbeddedObjects:
    return EmbeddedObjects(tmp_path / "objects")


def run_python(code: str, *args: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("content_type", ["audio/wav\r\nX-Evil: 1", "audio/\0", "ä", "a" * 257])
def test_a_content_type_that_could_not_stand_in_a_header_is_refused(
    embedded: EmbeddedObjects, content_type: str
) -> None:
    with pytest.raises(ValidationError):
        embedded.put(KEY, b"x", content_type=content_type)
    assert embedded.stat(KEY) is None


CREATE = """
import sys
from pathlib import Path
from shared.errors import Conflict
from shared.homes.objects.embedded_objects import EmbeddedObjects
objects = EmbeddedObjects(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
try:
    objects.put("key", sys.argv[2].encode(), content_type="text/plain", if_generation=0)
    print("won", flush=True)
except Conflict:
    print("lost", flush=True)
"""


@pytest.mark.heavy
def test_of_many_processes_one_wins(tmp_path: Path) -> None:
    children = [run_python(CREATE, tmp_path / "objects", number) for number in range(20)]
    assert all(child.stdout.readline() == "ready\n" for child in children)
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    said = [child.communicate(timeout=60)[0] for child in children]
    assert sorted(said) == ["lost\n"] * 19 + ["won\n"]
    winner = b"".join(EmbeddedObjects(tmp_path / "objects").read("key"))
    assert int(winner) == said.index("won\n")


WRITE = """
import itertools, sys
from pathlib import Path
from shared.homes.objects.embedded_objects import EmbeddedObjects
objects = EmbeddedObjects(Path(sys.argv[1]))
print("ready", flush=True)
for number in itertools.count(int(sys.argv[2])):
    key = "abc"[number % 3]
    data = b"%d:" % number + bytes([number % 256]) * (number % 7) * 20_000
    objects.put(key, data, content_type="text/plain", metadata={"number": str(number)})
    if number % 5 == 0:
        objects.copy(key, "copy")
    if number % 11 == 0:
        objects.delete(key)
    print(number, flush=True)
"""


@pytest.mark.heavy
def test_a_killed_writer_leaves_every_object_whole(tmp_path: Path) -> None:
    root, random, number = tmp_path / "objects", Random(7), 0
    for _ in range(25):
        child = run_python(WRITE, root, number)
        assert child.stdout.readline() == "ready\n"
        said = [child.stdout.readline() for _ in range(random.randrange(4))]
        time.sleep(random.uniform(0, 0.02))  # a random point of the writer's work
        child.send_signal(signal.SIGKILL)
        said += child.communicate()[0].split()
        objects = EmbeddedObjects(root)
        for info in list(objects.list("")):
            data = b"".join(objects.read(info.key, generation=info.generation))
            written = int(info.metadata["number"])
            assert data == b"%d:" % written + bytes([written % 256]) * (written % 7) * 20_000
            assert info.size == len(data)
            assert objects.path(info.key).read_bytes() == data
        if said and int(said[-1]) % 11:
            last = objects.stat("abc"[int(said[-1]) % 3])
            assert last and int(last.metadata["number"]) >= int(said[-1])
        number = int(said[-1]) + 1 if said else number
    assert number >= 25
    assert not {p for p in root.rglob("*.%") if p.parent == root} - {
        objects.path(info.key) for info in objects.list("")
    }


def run_and_die(dies_in: tuple[type, str], change: Callable[[], object]) -> None:
    """Run ``change`` in a process that ends at its first call of the named method."""
    if (child := os.fork()) == 0:
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(*dies_in, lambda *args, **options: os._exit(9))
                change()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize(
    ("change", "dies_in", "expected"),
    [
        (lambda objects: put(objects, "a", b"new"), (Index, "transaction"), b"old"),
        (lambda objects: put(objects, "a", b"new"), (Transaction, "put"), b"old"),
        (lambda objects: put(objects, "a", b"new"), (EmbeddedObjects, "_settle_soon"), b"new"),
        (lambda objects: put(objects, "a", b"new"), (Path, "unlink"), b"new"),
        (lambda objects: objects.copy("b", "a"), (Path, "hardlink_to"), b"old"),
        (lambda objects: objects.copy("b", "a"), (EmbeddedObjects, "_settle_soon"), b"other"),
        (lambda objects: objects.delete("a"), (EmbeddedObjects, "_prune"), b"old"),
        (lambda objects: objects.delete("a"), (Path, "unlink"), None),
    ],
)
def test_dying_between_two_states_loses_nothing(
    embedded: EmbeddedObjects,
    change: Callable[[Objects], object],
    dies_in: tuple[type, str],
    expected: bytes | None,
) -> None:
    put(embedded, "a", b"old")
    put(embedded, "b", b"other")
    run_and_die(dies_in, lambda: change(embedded))
    for store in (embedded, EmbeddedObjects(embedded.root)):
        path = store.path("a")
        assert (path.read_bytes() if path else None) == expected
        assert (b"".join(store.read("a")) if store.stat("a") else None) == expected
    assert put(embedded, "a", b"newer").size == 5


def test_a_reader_keeps_what_it_opened(embedded: EmbeddedObjects) -> None:
    put(embedded, KEY, b"1" * 3_000_000)
    blocks = embedded.read(KEY)
    first = next(blocks)
    put(embedded, KEY, b"2")
    embedded.delete(KEY)
    assert first + b"".join(blocks) == b"1" * 3_000_000


def test_readers_and_writers_agree_on_bytes_and_facts(embedded: EmbeddedObjects) -> None:
    put(embedded, KEY, b"0", metadata={"size": "1"})

    def write(seed: int) -> None:
        for size in range(1, 30):
            data = bytes([seed]) * size
            put(embedded, KEY, data, metadata={"size": str(size)})

    def read(_: int) -> None:
        for _ in range(60):
            row, file = embedded.open(KEY)
            with file:
                assert len(file.read()) == row.size == int(row.metadata["size"])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda job: job[0](job[1]), [(write, 1), (write, 2), (read, 0), (read, 1)]))


def test_a_generation_is_when_it_was_written_in_microseconds(embedded: EmbeddedObjects) -> None:
    before_us = time.time_ns() // 1_000
    first, second = put(embedded, KEY, b"1"), put(embedded, KEY, b"2")
    assert before_us <= first.generation < second.generation <= time.time_ns() // 1_000 + 1


def test_copies_share_their_bytes(embedded: EmbeddedObjects) -> None:
    put(embedded, KEY, b"sound")
    embedded.copy(KEY, "media/copy.wav")
    paths = embedded.path(KEY), embedded.path("media/copy.wav")
    assert paths[0].samefile(paths[1])


def test_a_deletion_removes_bytes_and_empty_folders(embedded: EmbeddedObjects) -> None:
    put(embedded, KEY, b"sound")
    put(embedded, "tenants/t1/other.wav", b"sound")
    embedded.delete(KEY)
    files = {path for path in embedded.root.rglob("*") if ".index" not in path.parts}
    assert {path.name for path in files} == {"tenants", "t1", "other.wav"}


def test_changes_by_hand_are_noticed(embedded: EmbeddedObjects) -> None:
    before = put(embedded, KEY, b"sound")
    path = embedded.path(KEY)
    assert path
    path.write_bytes(b"longer sound")
    after = embedded.stat(KEY)
    assert after and after.size == 12 and after.generation > before.generation
    path.unlink()
    assert embedded.stat(KEY) is None


def test_a_moved_folder_keeps_its_generations(embedded: EmbeddedObjects, tmp_path: Path) -> None:
    before = put(embedded, KEY, b"sound")
    embedded.close()
    subprocess.run(["cp", "-r", embedded.root, tmp_path / "moved"], check=True)
    assert EmbeddedObjects(tmp_path / "moved").stat(KEY) == before


FILL = """
import resource, sys
from pathlib import Path
from shared.errors import Unavailable
from shared.homes.objects.embedded_objects import EmbeddedObjects
objects = EmbeddedObjects(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
try:
    objects.put("a", b"x" * 3_000_000, content_type="text/plain")
except Unavailable as error:
    print(error.code)
"""


def test_a_full_disk_leaves_the_old_object(embedded: EmbeddedObjects) -> None:
    put(embedded, "a", b"old")
    assert run_python(FILL, embedded.root).communicate(timeout=60)[0] == "unavailable\n"
    assert b"".join(embedded.read("a")) == b"old"
    assert list((embedded.private / "tmp").iterdir()) == []


def test_stale_temporary_files_go_and_fresh_ones_stay(
    embedded: EmbeddedObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = embedded.private / "tmp" / "left"
    left.write_bytes(b"half")
    EmbeddedObjects(embedded.root)
    assert left.exists()
    later = time.time() + 7200
    monkeypatch.setattr(time, "time", lambda: later)
    EmbeddedObjects(embedded.root)
    assert not left.exists()

"""What a child may use: it tries to take more, and does not get it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shared import processes
from shared.errors import BackendFailed, Unavailable
from shared.media import ffmpeg
from shared.processes import Limits, collect, started, tied_to_caller, without_network
from tests.toy import wait_until

MIB = 1 << 20


@pytest.fixture(autouse=True)
def tried_afresh() -> Iterator[None]:
    """Whether the network can be taken away is found out once in a process."""
    without_network.cache_clear()
    yield
    without_network.cache_clear()


def tell(code: str, limits: Limits, *, timeout_s: float = 120) -> str:
    """What a Python under these limits prints."""
    with started([sys.executable, "-c", code], timeout_s=timeout_s, limits=limits) as child:
        return collect(child).decode().strip()


def test_it_gets_no_more_memory() -> None:
    limits = Limits(data_bytes=200 * MIB)
    assert tell("print(len(bytearray(50 << 20)))", limits) == str(50 * MIB)
    with pytest.raises(BackendFailed, match="MemoryError"):
        tell("bytearray(400 << 20)", limits)


def test_libraries_are_named_to_the_tool_and_not_to_what_starts_it() -> None:
    named = "/nowhere/it's.so"
    told = "import os; print(os.environ['LD_PRELOAD'])"
    with started([sys.executable, "-c", told], timeout_s=60, limits=Limits(preload=named)) as child:
        assert collect(child).decode().strip() == named
        complaints = child.stderr_tail.count(named)
    assert complaints == 1, "each program that is to ask them first says that it can't"


def test_memory_in_many_pieces_and_threads_counts_together() -> None:
    code = (
        "import threading\n"
        "held, started = [], threading.Barrier(9)\n"  # a thread that finds no memory to start hangs
        "def take():\n"
        "    started.wait()\n"
        "    for _ in range(40): held.append(bytearray(1 << 20))\n"
        "try:\n"
        "    threads = [threading.Thread(target=take) for _ in range(8)]\n"
        "    for t in threads: t.start()\n"
        "    started.wait()\n"
        "    for t in threads: t.join()\n"
        "except (RuntimeError, MemoryError): pass\n"
        "print(len(held))\n"
    )
    assert int(tell(code, Limits(data_bytes=160 * MIB))) < 160


def test_it_writes_no_larger_file(tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'a')!r}, 'wb').write(bytes(3 << 20))"
    with pytest.raises(BackendFailed, match="too large"):
        tell(code, Limits(file_bytes=MIB))
    assert (tmp_path / "a").stat().st_size <= MIB


@pytest.mark.skipif(sys.platform != "linux", reason="setpriv is Linux's")
def test_it_gets_no_more_privileges() -> None:
    code = "print(open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0])"
    assert tell(code, Limits()) == "1"


def test_it_opens_no_more_files() -> None:
    code = "held = [open('/dev/null') for _ in range(100)]"
    assert tell(code, Limits(open_files=200)) == ""
    with pytest.raises(BackendFailed, match="Too many open files"):
        tell(code, Limits(open_files=50))


def test_without_the_network_not_even_this_machine_is_reached() -> None:
    if not without_network():
        pytest.skip("this machine does not allow network namespaces")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        code = (
            "import socket\n"
            f"try: socket.create_connection({server.getsockname()!r}, timeout=5); print('in')\n"
            "except OSError as error: print(error.strerror)\n"
        )
        assert tell(code, Limits()) == "in"
        server.accept()[0].close()
        assert "unreachable" in tell(code, Limits(network=False))
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties processes to their caller")
def test_nothing_is_begun_for_a_caller_that_has_died(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    assert subprocess.run([*tied_to_caller(), "touch", ours], check=False).returncode == 0
    assert ours.exists()
    another = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    words = [sys.executable, "-c", another, *tied_to_caller(), "touch", theirs]
    assert subprocess.run(words, check=False).returncode == 1
    assert not theirs.exists()


def test_ffmpeg_reaches_no_address() -> None:
    """Even where somebody forgot the lists of protocols and formats."""
    if not without_network():
        pytest.skip("this machine does not allow network namespaces")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.wav"
        with pytest.raises(BackendFailed, match="Network is unreachable"):
            ffmpeg.run(["-i", address, "-f", "null", "-"], timeout_s=20)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_where_it_is_not_allowed_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(words: list[str], **_kept: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(words, 1)

    monkeypatch.setattr(processes.subprocess, "run", refused)
    assert without_network() == ()
    assert tell("print('done')", Limits(network=False)) == "done"


@pytest.mark.heavy
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("user", ["root", "nobody"])
def test_without_the_network_it_still_ends_with_its_caller(
    user: str, request: pytest.FixtureRequest
) -> None:
    folder = Path(tempfile.mkdtemp())  # unlike tmp_path, below no folder of root's alone
    request.addfinalizer(lambda: shutil.rmtree(folder))
    folder.chmod(0o777)
    target = folder / "child"
    code = (
        "import sys\n"
        "from shared.processes import Limits, started\n"
        "words = ['sh', '-c', 'echo $$ > \"$0\"; exec sleep 60', sys.argv[1]]\n"
        "with started(words, timeout_s=60, limits=Limits(network=False)) as child:\n"
        "    list(child.chunks())\n"
    )
    become = ["setpriv", "--reuid", "65534", "--clear-groups"] if user == "nobody" else []
    caller = subprocess.Popen([*become, sys.executable, "-c", code, str(target)])
    wait_until(lambda: target.exists() and target.read_text())
    child = int(target.read_text())
    assert psutil.pid_exists(child)
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    wait_until(lambda: not psutil.pid_exists(child))


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_from_outside_says_nothing_of_the_input(sent: signal.Signals) -> None:
    kills_itself = f"import os; os.kill(os.getpid(), {int(sent)})"
    with pytest.raises(Unavailable) as caught:
        tell(kills_itself, Limits(data_bytes=512 * MIB))
    assert caught.value.transient
    if sent is signal.SIGKILL:
        assert "memory" in caught.value.message and "512 MiB" in caught.value.message


def test_a_crash_of_its_own_is_its_own() -> None:
    with pytest.raises(BackendFailed, match="SIGSEGV"):
        tell("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Limits())


@pytest.mark.heavy
def test_too_much_processor_time_is_no_kill_from_outside() -> None:
    with pytest.raises(BackendFailed, match="SIGXCPU"):
        tell("while True: pass", Limits(cpu_s=1))

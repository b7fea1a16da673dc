"""What kind of processor computes here."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

_DECIDING = (
    *("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"),
    *("asimd", "asimddp", "i8mm", "sve"),
)
"""The instructions by which numeric libraries choose their kernels."""
_MAKE = ("vendor_id", "cpu family", "model", "CPU implementer", "CPU part")


@cache
def processor_kind() -> str:
    """Its make and the instructions that decide which kernels run: ``x86_64 AuthenticAMD 25 17 avx2 ...``.

    Machines of one kind round alike; others may differ in the last bits of what is computed.
    """
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:  # no Linux
        return " ".join(filter(None, (platform.machine(), platform.processor())))
    return described(platform.machine(), told)


def described(machine: str, cpuinfo: str) -> str:
    """The kind of the first processor that Linux's ``/proc/cpuinfo`` lists."""
    lines = (line.partition(":") for line in cpuinfo.split("\n\n", maxsplit=1)[0].splitlines())
    facts = {name.strip(): value.strip() for name, _, value in lines}
    able = set((facts.get("flags") or facts.get("Features") or "").split())
    make = (facts[name] for name in _MAKE if name in facts)
    return " ".join((machine, *make, *(name for name in _DECIDING if name in able)))

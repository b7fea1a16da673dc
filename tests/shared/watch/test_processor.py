from __future__ import annotations

from shared.watch.processor import described, processor_kind

ZEN_3 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 1
model name\t: AMD EPYC 7B13
cpu MHz\t\t: 2450.000
flags\t\t: fpu sse4_2 avx avx2 fma sha_ni

processor\t: 1
vendor_id\t: AuthenticAMD
flags\t\t: fpu sse4_2 avx avx2 fma avx512f
"""


def test_a_kind_is_make_and_instructions() -> None:
    assert described("x86_64", ZEN_3) == "x86_64 AuthenticAMD 25 1 sse4_2 avx avx2 fma"


def test_instructions_and_make_tell_kinds_apart_and_speed_does_not() -> None:
    kind = described("x86_64", ZEN_3)
    assert described("x86_64", ZEN_3.replace("2450", "3500")) == kind
    assert described("x86_64", ZEN_3.replace("fma sha_ni", "fma avx512_vnni")) != kind
    assert described("x86_64", ZEN_3.replace("AuthenticAMD", "GenuineIntel")) != kind


def test_this_machine_has_a_kind() -> None:
    assert processor_kind().split()[0] and processor_kind() == processor_kind()

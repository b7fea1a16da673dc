"""The benches still run into what they measure: nobody starts them every day."""

from __future__ import annotations

import importlib

import pytest

from tests.bench.__main__ import FOUND


@pytest.mark.heavy
@pytest.mark.parametrize("name", FOUND)
def test_a_bench_finds_what_it_measures(name: str) -> None:
    assert callable(importlib.import_module(f"tests.bench.bench_{name}").main)

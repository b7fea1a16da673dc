"""Under which licences the installed packages say that they come."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable

_TOKENS = {
    "0BSD": r"\b0BSD\b",
    "AGPL": r"\bAGPL|affero",
    "Apache-2.0": r"apache",
    "BSD": r"\bBSD\b(?!-4)|\bBSD-",
    "BSL-1.0": r"\bBSL-1\.0",
    "CC0-1.0": r"\bCC0",
    "CNRI-Python": r"\bCNRI",
    "GPL": r"(?<![LA])GPL(?!.*compat)|(?<!lesser )(?<!affero )general public licen[cs]e",
    "ISC": r"\bISC",
    "LGPL": r"\bLGPL|lesser general public",
    "MIT": r"\bMIT\b(?!-CMU)",
    "MIT-CMU": r"\bMIT-CMU",
    "MPL-2.0": r"\bMPL|mozilla public",
    "PSF-2.0": r"\bPSF|python software foundation",
    "Zlib": r"\bzlib",
}
"""Licence -> how metadata name it: SPDX expressions, classifiers, or words of their own."""


def named_in(text: str) -> set[str]:
    """The licences that a text names."""
    return {licence for licence, names in _TOKENS.items() if re.search(names, text, re.IGNORECASE)}


def licences_of(package: str) -> set[str]:
    """The licences of an installed package by its metadata; empty where these say nothing.

    Raises ``PackageNotFoundError``.
    """
    metadata = importlib.metadata.metadata(package)
    expression = metadata.get("License-Expression")
    if expression:
        return named_in(expression)
    classifiers = [
        each for each in metadata.get_all("Classifier", []) if each.startswith("License ::")
    ]
    first_line = (metadata.get("License") or "").strip().split("\n")[0]
    return named_in(" ".join(classifiers)) or named_in(first_line)


def present(packages: Iterable[str]) -> set[str]:
    """Those of the packages that are installed."""
    found = set()
    for package in packages:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.add(package)
    return found

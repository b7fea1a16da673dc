"""docs/licences.md: every package that is asked for has its row, and says what the package says."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path, PurePath

import pytest

from tests.infra.imports import installed, normalised
from tests.infra.licences import licences_of, named_in, present

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "licences.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
TOOLS = {"test", "lint", "demo", "capacity", "mutants"}
COPYLEFT = {"GPL", "LGPL", "AGPL", "MPL-2.0"}
UNSTATED = {"sphn": {"Apache-2.0"}}
"""What is read in the licence file, where the metadata say nothing."""


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading: the first cell without its marks -> the other cells."""
    part = re.split(r"^#+ ", PAGE.split(f" {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    cells = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return {name.strip("`"): rest for name, *rest in cells[2:]}


def asked_for() -> dict[str, set[str]]:
    """Package -> the extras that ask for it; ``all`` for the core."""
    found: dict[str, set[str]] = {}
    core = [line for line in PROJECT["dependencies"] if not line.startswith("rushes[")]
    for extra, lines in {"all": core, **EXTRAS}.items():
        for line in lines:
            found.setdefault(normalised(line), set()).add(extra)
    return found


ASKED = asked_for()
PRODUCT = {name: extras - TOOLS for name, extras in ASKED.items() if extras - TOOLS}
LIBRARIES, TOOLBOX = rows("Libraries of the product"), rows("Tools")


def test_each_package_that_is_asked_for_has_its_row_and_no_other() -> None:
    assert set(LIBRARIES) == set(PRODUCT)
    assert set(TOOLBOX) == set(ASKED) - set(PRODUCT)
    for name, extras in PRODUCT.items():
        assert set(LIBRARIES[name][1].split(", ")) == extras, name


@pytest.mark.parametrize("package", sorted(ASKED))
def test_its_licence_is_the_one_that_it_states(package: str) -> None:
    if not present([package]):
        pytest.skip(f"{package} is not installed here")
    told = {**LIBRARIES, **TOOLBOX}[package][0]
    assert named_in(told) == licences_of(package), told


def brought_along() -> set[str]:
    """What the product's packages need beside themselves, as far as it is installed here."""
    lines = [*PROJECT["dependencies"], *(line for e in set(EXTRAS) - TOOLS for line in EXTRAS[e])]
    return present(installed(lines)) - set(ASKED) - {"rushes"}


def test_what_they_bring_along_is_listed_by_its_licence() -> None:
    families = rows("What these bring along")
    listed = {
        name: named_in(licence)
        for licence, (packages,) in families.items()
        for name in re.findall(r"`([\w.-]+)`", packages)
    }
    found = {name: licences_of(name) or UNSTATED.get(name, set()) for name in brought_along()}
    assert found.items() <= listed.items(), found.items() - listed.items()


def test_copyleft_is_named_with_what_it_asks() -> None:
    everything = {*present(PRODUCT), *brought_along()}
    strict = {name for name in everything if licences_of(name) & COPYLEFT}
    named = rows("Copyleft among them")
    assert strict <= set(named)
    assert all(asks for _, asks in named.values())


@pytest.mark.heavy
def test_wheels_that_carry_libraries_under_the_gpl_are_named() -> None:
    """x264 and x265 are under the GPL, whatever the wheel's own licence says."""
    named = rows("Copyleft among them")
    for package in {*present(PRODUCT), *brought_along()}:
        files = [PurePath(str(file)).name for file in importlib.metadata.files(package) or []]
        libraries = {
            word for word in ("x264", "x265", "rubberband") for f in files if f"lib{word}" in f
        }
        assert not libraries or package in named, f"{package} carries {libraries}"
        told = " ".join(named.get(package, []))
        assert all(library in told for library in libraries), package


def test_the_lock_holds_all_of_it() -> None:
    lock = {normalised(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert set(ASKED) <= lock
    assert brought_along() <= lock

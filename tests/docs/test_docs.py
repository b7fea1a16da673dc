"""The docs are true: nothing stale, nothing undocumented, no link into the void."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from infra.command.main import rushes
from infra.generated import PAGES
from shared.contracts.step import StepState
from shared.settings import Settings, variable

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
COMMON = {"--data", "--tenant", "--env", "--json", "--help", "-h"}


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_fresh(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `python -m infra.generated`"


def commands(group: click.Group, prefix: str = "rushes") -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


@pytest.mark.parametrize(("name", "command"), list(commands(rushes)), ids=str)
def test_each_command_and_option_is_documented(name: str, command: click.Command) -> None:
    rows = [row for row in (DOCS / "commands.md").read_text().splitlines() if f"`{name}" in row]
    assert rows, f"{name} is not in docs/commands.md"
    options = {
        option for param in command.params for option in param.opts if option.startswith("-")
    }
    for option in options - COMMON:
        assert any(option in row for row in rows), f"{name} {option}"


@pytest.mark.parametrize("field", Settings.model_fields)
def test_each_setting_is_documented(field: str) -> None:
    assert f"`{variable(field)}`" in (DOCS / "commands.md").read_text()


def test_each_state_is_explained() -> None:
    text = (DOCS / "commands.md").read_text()
    assert all(f"`{state.value}`" in text for state in StepState)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))], ids=lambda p: p.name
)
def test_links_lead_somewhere(page: Path) -> None:
    for target, place in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text()):
        if "://" not in target:
            led_to = page.parent / target if target else page
            assert led_to.exists(), f"{page.name}: {target}"
            assert not place or place in places(led_to), f"{page.name}: {target}#{place}"


def places(page: Path) -> set[str]:
    """What may stand behind ``#``: its headings, as GitHub spells them in addresses."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().split()) < 600


def test_make_targets_in_the_docs_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        assert set(re.findall(r"`make ([a-z-]+)`", page.read_text())) <= targets

"""Every reference leads somewhere, every call fits: what `terraform validate` would say first."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.terraform.tree import TERRAFORM, Folder, folders

FOLDERS = folders()
each_folder = pytest.mark.parametrize(
    "one", FOLDERS, ids=[str(one.path.relative_to(TERRAFORM)) for one in FOLDERS]
)


def test_the_tree_is_where_we_look() -> None:
    assert {one.path.name for one in FOLDERS} >= {"stack", "dev", "prod", "wiring", "function"}


@pytest.mark.skipif(shutil.which("terraform") is None, reason="the terraform command is not here")
def test_the_format_is_terraforms() -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", str(TERRAFORM)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@each_folder
def test_variables_and_locals_that_are_used_are_declared_and_the_other_way_round(
    one: Folder,
) -> None:
    assert set(re.findall(r"\bvar\.(\w+)", one.text)) == set(one.named("variable"))
    assert set(re.findall(r"\blocal\.(\w+)", one.text)) == set(one.locals())


@each_folder
def test_resources_that_are_referred_to_are_there(one: Folder) -> None:
    there = {f"{each.kind}.{each.name}" for each in one.typed("resource")}
    read = {f"data.{each.kind}.{each.name}" for each in one.typed("data")}
    for reference in re.findall(r"\b((?:data\.)?google_\w+\.\w+)", one.text):
        assert reference in there | read


@each_folder
def test_module_calls_fit_their_modules(one: Folder) -> None:
    for name in one.named("module"):
        variables = one.called(name).named("variable")
        required = {key for key, body in variables.items() if "default" not in body}
        assert required <= one.arguments(name) <= set(variables), name
    for name, output in re.findall(r"\bmodule\.(\w+)(?:\[[^\]]*\])?\.(\w+)", one.text):
        assert output in one.called(name).named("output"), f"{name}.{output}"


@each_folder
def test_how_many_there_are_is_known_before_anything_is_made(one: Folder) -> None:
    """``count`` that compares with null would fail the first plan, where ids are unknown."""
    for each in one.typed("resource"):
        assert "null" not in str(each.body.get("count", "")), each


@each_folder
def test_everything_is_described_and_pinned(one: Folder) -> None:
    for block in ("variable", "output"):
        for name, body in one.named(block).items():
            assert body.get("description"), f"{block} {name}"
    assert "required_version" in one.text
    if list(one.typed("resource")):
        assert re.search(r'version\s*=\s*">= 7\.\d+, < 8\.0"', one.text)


def test_dev_and_prod_ask_for_the_same() -> None:
    dev, prod = (
        {path.name: path.read_text() for path in (TERRAFORM / "environments" / env).glob("*.tf")}
        for env in ("dev", "prod")
    )
    assert dev.keys() == prod.keys()
    assert [name for name in dev if dev[name] != prod[name]] == ["main.tf"]

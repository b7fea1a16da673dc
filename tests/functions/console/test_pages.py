"""The console's files: how they are served, and that they name nothing that lies elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from functions.api.app import build
from functions.console.pages import FOLDER, FOR_EVER, front_page, release, served_files
from shared.contracts.context import RequestContext
from shared.errors import MissingDependency
from tests.toy import embedded_home

_NAMED = re.compile(r'(?:href|src)="([^"]+)"')
_IMPORTED = re.compile(r'(?:from|import)\s*"(\.[^"]+)"')


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    ctx = RequestContext(tenant_id="t1", env="dev")
    with TestClient(
        build(embedded_home(tmp_path), lambda _: ctx), base_url="http://localhost"
    ) as made:
        yield made


def test_the_front_door_leads_to_the_page(client: TestClient) -> None:
    page = client.get("/")
    assert page.url.path == "/console/"
    assert page.headers["cache-control"] == "no-cache"
    tag = page.headers["etag"]
    assert client.get("/console/", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.heavy
def test_what_the_page_names_is_kept_for_ever(client: TestClient) -> None:
    named = _NAMED.findall(front_page())
    assert len(named) > 40
    for path in named:
        answer = client.get(f"/console/{path}")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, FOR_EVER), path
        assert answer.content == (FOLDER / path.partition("/")[2]).read_bytes()


def test_modules_name_modules_that_are_served() -> None:
    served = served_files()
    for path, content in served.items():
        if not path.endswith(".js"):
            continue
        for name in _IMPORTED.findall(content.decode()):
            there = (FOLDER / path).parent.joinpath(name).resolve().relative_to(FOLDER)
            assert there.as_posix() in served, f"{path} imports {name}"


@pytest.mark.heavy
@pytest.mark.parametrize(
    "path",
    ["000000000000/js/main.js", "{release}/pages.py", "{release}/package.json", "js/main.js"],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(f"/console/{path.format(release=release())}").status_code == 404


def test_a_change_of_one_file_changes_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    before = release()
    changed = {**served_files(), "js/main.js": b"// another"}
    monkeypatch.setattr("functions.console.pages.served_files", lambda: changed)
    release.cache_clear()
    try:
        assert release() != before
    finally:
        monkeypatch.undo()
        release.cache_clear()


@pytest.mark.heavy
def test_text_is_compressed(client: TestClient) -> None:
    path = f"/console/{release()}/js/main.js"
    with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == served_files()["js/main.js"]
    assert len(raw) < 0.6 * len(served_files()["js/main.js"])


def test_vendored_files_are_those_of_the_lock() -> None:
    packages = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    listed = json.loads((FOLDER / "vendor" / "vendored.json").read_text())
    for row in listed:
        locked = packages[f"node_modules/{row['package']}"]
        assert (row["version"], row["integrity"]) == (locked["version"], locked["integrity"])
        content = (FOLDER / "vendor" / row["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"], row["file"]
    there = {path.name for path in (FOLDER / "vendor").iterdir()}
    assert there == {row["file"] for row in listed} | {"vendored.json"}
    licensed = {row["package"] for row in listed if row["file"].endswith("LICENSE")}
    assert licensed == {row["package"] for row in listed}


def test_the_lock_names_no_host() -> None:
    assert "resolved" not in (FOLDER / "package-lock.json").read_text()


def test_nothing_is_named_that_lies_elsewhere() -> None:
    sources = [*FOLDER.glob("*.html"), *FOLDER.glob("js/*.js"), *FOLDER.glob("css/*.css")]
    assert len(sources) > 20
    for path in sources:
        found = re.findall(r"(?:https?:)?//[\w.-]+\.\w{2,}", path.read_text())
        assert found == [], path.name


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (FOLDER / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []


@pytest.mark.heavy
def test_what_another_step_did_not_make_is_not_to_be_installed(browser: Any) -> None:
    module = (FOLDER / "js" / "errors.js").read_text("utf-8")
    plain = """([text, error]) =>
        import("data:text/javascript," + encodeURIComponent(text)).then((it) => it.plain(error))"""
    page = browser.new_page()
    told = {
        name: page.evaluate(plain, [module, MissingDependency(name, None, "why").to_json()])
        for name in ("transcribe.captions", "whisper-tiny")
    }
    page.close()
    assert told["transcribe.captions"]["title"] == "A result that it needs is not there"
    assert "Install" not in told["transcribe.captions"]["advice"]
    assert told["whisper-tiny"]["title"] == "Something is not installed"

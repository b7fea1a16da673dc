"""What Terraform makes of the pipeline table, evaluated by Terraform itself: no provider is needed."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.generated import deployed_functions
from shared.contracts.topics import (
    DEAD_TOPIC,
    RESULTS_TOPIC,
    SUBSCRIBED_WITH,
    UPLOADS_TOPIC,
    steps_topic,
)
from shared.homes.home import consumed_topics
from shared.pipeline import STEPS, functions
from tests.terraform.tree import TERRAFORM

pytestmark = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="the terraform command is not here"
)
CALL = """
module "wiring" {
  source   = "./wiring"
  pipeline = jsondecode(file("${path.module}/pipeline.json"))
}
output "wiring" {
  value = module.wiring
}
"""


def terraform(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["terraform", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wiring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The module's outputs for the pipeline as it is."""
    folder = tmp_path_factory.mktemp("wiring")
    shutil.copytree(TERRAFORM / "modules" / "wiring", folder / "wiring")
    shutil.copy(TERRAFORM / "pipeline.json", folder)
    (folder / "main.tf").write_text(CALL)
    terraform(folder, "init", "-backend=false", "-no-color")
    terraform(folder, "apply", "-auto-approve", "-no-color")
    yield json.loads(terraform(folder, "output", "-json", "wiring"))


def test_the_modules_own_tests_pass(tmp_path: Path) -> None:
    shutil.copytree(TERRAFORM / "modules" / "wiring", tmp_path / "wiring")
    terraform(tmp_path / "wiring", "init", "-backend=false", "-no-color")
    said = terraform(tmp_path / "wiring", "test", "-no-color")
    assert "0 failed" in said and "Success!" in said


def test_each_consumed_topic_is_pushed_to_its_function_as_at_home(wiring: dict[str, Any]) -> None:
    deployed = set(deployed_functions())
    assert {topic: row["function"] for topic, row in wiring["subscriptions"].items()} == {
        topic: function for topic, function in consumed_topics().items() if function in deployed
    }
    filters = {
        topic: row["filter"] for topic, row in wiring["subscriptions"].items() if row["filter"]
    }
    assert filters == {topic: f"attributes:{name}" for topic, name in SUBSCRIBED_WITH.items()}
    without = {topic for topic, row in wiring["subscriptions"].items() if not row["dead_letter"]}
    assert without == {DEAD_TOPIC}


def test_each_topic_that_is_published_to_exists(wiring: dict[str, Any]) -> None:
    published = {
        UPLOADS_TOPIC,
        RESULTS_TOPIC,
        DEAD_TOPIC,
        *(steps_topic(row.function) for row in STEPS),
    }
    assert set(wiring["topics"]) == published
    assert set(wiring["publishers"]) == published


def test_each_function_has_time_for_its_longest_step(wiring: dict[str, Any]) -> None:
    assert set(wiring["functions"]) == set(deployed_functions())
    for name, rows in functions().items():
        size = wiring["functions"][name]
        longest_s = max(row.timeout_s for row in rows)
        assert size["timeout_s"] >= min(longest_s, 3600), name
        assert size["cpu_always"] or longest_s <= 600, f"{name} works on after its push hung up"


def test_steps_are_done_one_at_a_time_and_cost_nothing_when_idle(wiring: dict[str, Any]) -> None:
    for name in functions():
        size = wiring["functions"][name]
        assert size["concurrency"] == 1 and size["min_instances"] == 0, name
        assert not size["public"] and size["objects"] == "media", name


def test_gpu_rows_get_a_gpu(wiring: dict[str, Any]) -> None:
    wanted = {row.function for row in STEPS if row.machine == "gpu"}
    assert {name for name, size in wiring["functions"].items() if size["gpu"]} == wanted


def test_memory_holds_the_largest_input_and_what_is_made_of_it(wiring: dict[str, Any]) -> None:
    from shared.settings import MAX_INPUT_BYTES

    for name in (*functions(), "probe"):
        assert wiring["functions"][name]["memory_gib"] * 2**30 >= 4 * MAX_INPUT_BYTES, name

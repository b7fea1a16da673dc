"""What holds for every resource: nobody outside gets in, nobody inside can do more than they must."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.settings import Settings, variable
from tests.terraform.tree import ROOT, TERRAFORM, Resource, folder, resources, strings

STACK = folder(TERRAFORM / "stack")
ROLES = {
    "roles/datastore.user",
    "roles/iam.serviceAccountOpenIdTokenCreator",
    "roles/iam.serviceAccountTokenCreator",
    "roles/pubsub.publisher",
    "roles/pubsub.subscriber",
    "roles/run.invoker",
    "roles/secretmanager.secretAccessor",
    "roles/storage.objectCreator",
    "roles/storage.objectUser",
    "roles/storage.objectViewer",
}
"""Every predefined role that is granted. A new one is added here on purpose."""


def only(kind: str) -> Resource:
    (found,) = [each for each in resources(kind) if each.kind == kind]
    return found


def grants() -> list[Resource]:
    return [each for each in resources() if re.search(r"_iam_(member|binding)$", each.kind)]


def test_nobody_is_everybody() -> None:
    for each in resources():
        for text in strings(each.body):
            assert "allUsers" not in text and "allAuthenticatedUsers" not in text, each
    assert not [each for each in resources() if each.kind.endswith("_iam_policy")]


def test_roles_are_few_and_small() -> None:
    granted = {text for each in grants() for text in strings(each.body["role"])}
    own = {role for role in granted if "custom_role" in role}
    templates = {role for role in granted if role.startswith("${") and role not in own}
    assert granted - own - templates <= ROLES
    assert templates == {"${each.value.role}"}, "the tenants' folders, whose roles are below"
    folders = folder(TERRAFORM / "modules" / "bucket").text
    assert set(re.findall(r'role\s*=\s*"(roles/[\w.]+)"', folders)) <= ROLES


def test_custom_roles_name_each_permission() -> None:
    for each in resources("google_project_iam_custom_role"):
        assert each.body["permissions"] == ["storage.objects.list"]


def test_what_is_granted_on_the_project_is_bound_to_one_database() -> None:
    for each in resources("google_project_iam_member"):
        assert each.body["role"] == "roles/datastore.user"
        assert each.body["condition"][0]["expression"].startswith("resource.name ==")


def test_what_is_granted_on_objects_is_bound_to_a_prefix() -> None:
    for each in resources("google_storage_bucket_iam"):
        if "custom_role" not in each.body["role"]:
            expression = each.body["condition"][0]["expression"]
            assert "startsWith" in expression and "tenants/" in expression, each
    assert "/media_v2/" in _named("google_storage_bucket_iam_binding", "media")


def _named(kind: str, name: str) -> str:
    return " ".join(
        text for each in resources(kind) if each.name == name for text in strings(each.body)
    )


def test_each_service_runs_as_an_account_of_its_own() -> None:
    service = only("google_cloud_run_v2_service")  # with its account in one module, called for each
    account = "${google_service_account.runtime.email}"
    assert service.body["template"][0]["service_account"] == account
    assert STACK.named("module")["function"]["for_each"] == "${local.functions}"
    assert not resources("google_service_account_key"), "nobody needs a key on disk"


def test_only_public_functions_are_reached_from_outside() -> None:
    service = only("google_cloud_run_v2_service").body
    assert service["ingress"].endswith(': "INGRESS_TRAFFIC_INTERNAL_ONLY"}')
    assert service["ingress"].startswith("${var.size.public ?")
    assert service["invoker_iam_disabled"] == "${var.size.public}"
    sizes = json.loads((TERRAFORM / "modules" / "wiring" / "sizes.json").read_text())
    public = [name for name, size in sizes["functions"].items() if size.get("public")]
    assert public == ["api"], "it verifies each request's token itself"
    assert "oidc" in STACK.text.split("RUSHES_IDENTITY")[1].splitlines()[0]


def test_each_subscription_pushes_with_a_token_and_has_its_dead_letters_and_grants() -> None:
    subscription = only("google_pubsub_subscription")
    assert STACK.named("module")["subscription"]["for_each"] == "${module.wiring.subscriptions}"
    body = subscription.body
    assert body["ack_deadline_seconds"] == 600
    assert body["expiration_policy"][0]["ttl"] == ""
    assert body["retry_policy"][0]["minimum_backoff"] == "10s"
    assert body["retry_policy"][0]["maximum_backoff"] == "600s"
    token = body["push_config"][0]["oidc_token"][0]
    assert {"service_account_email", "audience"} <= token.keys()
    policy = body["dynamic"][0]["dead_letter_policy"]
    assert policy["content"][0]["max_delivery_attempts"] == 100
    agent = only("google_pubsub_subscription_iam_member")
    assert agent.body["role"] == "roles/pubsub.subscriber"
    assert agent.body["count"] == "${var.dead_letter ? 1 : 0}"
    assert policy["for_each"] == "${var.dead_letter ? [var.dead_topic] : []}"
    locals_ = folder(TERRAFORM / "modules" / "subscription").locals()
    assert "gcp-sa-pubsub" in locals_["agent"]


def test_the_agents_may_publish_where_they_must() -> None:
    agents = str(folder(TERRAFORM / "modules" / "bus").locals()["agents"])
    assert "var.dead_topic" in agents and "gcp-sa-pubsub" in agents
    assert "var.uploads_topic" in agents and "var.storage_agent" in agents
    binding = only("google_pubsub_topic_iam_binding").body
    assert binding["for_each"] == only("google_pubsub_topic").body["for_each"]
    assert "local.agents" in str(binding["members"])


def test_the_bucket_is_closed_and_tells_of_uploads() -> None:
    bucket = only("google_storage_bucket").body
    assert bucket["uniform_bucket_level_access"] is True
    assert bucket["public_access_prevention"] == "enforced"
    notification = only("google_storage_notification").body
    assert notification["event_types"] == ["OBJECT_FINALIZE"]
    assert notification["object_name_prefix"] == "tenants/"
    assert notification["topic"] == "${var.uploads_topic}"
    assert "module.bus.topics" in STACK.named("module")["bucket"]["uploads_topic"]


def test_of_the_bucket_only_parts_of_work_are_removed_by_age() -> None:
    from shared.steps.part_files import SUFFIX

    rules = only("google_storage_bucket").body["lifecycle_rule"]
    deletes = [rule for rule in rules if rule["action"][0]["type"] == "Delete"]
    assert [rule["condition"][0]["matches_suffix"] for rule in deletes] == [[SUFFIX]]


def test_the_sweep_is_called_with_a_token_for_rounds_that_it_knows() -> None:
    job = only("google_cloud_scheduler_job").body["http_target"][0]
    assert {"service_account_email", "audience"} <= job["oidc_token"][0].keys()
    text = folder(TERRAFORM / "modules" / "schedule").text
    handler = (ROOT / "functions" / "sweep" / "main.py").read_text()
    for name in re.findall(r'(\w+)\s*=\s*"[\d*/ ]+"', text):
        assert f'"{name}"' in handler


def test_variables_that_functions_get_are_settings() -> None:
    known = {variable(name) for name in Settings.model_fields}
    given = set(re.findall(r"\b(RUSHES_\w+|VIDEO_\w+|AUDIO_\w+)\b", STACK.text))
    assert given <= known
    assert {"RUSHES_HOME", "RUSHES_PROJECT", "RUSHES_BUCKET"} <= given


def test_one_setting_says_how_large_a_recording_may_be_and_who_needs_a_disk() -> None:
    default = STACK.named("variable")["max_input_bytes"]["default"]
    assert default == Settings.model_fields["max_input_bytes"].default
    assert re.search(
        r"RUSHES_MAX_INPUT_BYTES\s*=\s*format\(\"%d\", var.max_input_bytes\)", STACK.text
    )
    assert STACK.named("module")["wiring"]["max_input_bytes"] == "${var.max_input_bytes}"
    for name in ("dev", "prod"):
        call = folder(TERRAFORM / "environments" / name).named("module")["rushes"]
        assert call["max_input_bytes"] == "${var.max_input_bytes}"
    function = folder(TERRAFORM / "modules" / "function")
    assert 'medium     = "DISK"' in function.text and "TMPDIR = local.work_folder" in function.text
    stage = only("google_cloud_run_v2_service").body["launch_stage"]
    assert stage == '${var.size.disk_gib > 0 ? "BETA" : null}', "disks are a preview"


def test_a_gpu_is_one_l4_without_zonal_redundancy() -> None:
    template = only("google_cloud_run_v2_service").body["template"][0]
    assert template["gpu_zonal_redundancy_disabled"].startswith("${var.size.gpu ? true")
    assert "nvidia-l4" in template["dynamic"][0]["node_selector"]["for_each"]
    limits = template["containers"][0]["resources"][0]["limits"]
    assert "nvidia.com/gpu" in str(limits)


# -- the documents' indexes, and the queries that are made ---------------------------------------


def calls(name: str) -> Iterator[ast.Call]:
    """Calls of a method, in the product's code."""
    for room in ("shared", "functions"):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.Call(func=ast.Attribute(attr=attribute)) if attribute == name:
                        yield node


@pytest.mark.heavy
def test_each_query_over_all_tenants_has_its_index() -> None:
    indexed = folder(TERRAFORM / "modules" / "documents").locals()["group_filters"]
    asked = {}
    for call in calls("list_group"):
        group = ast.literal_eval(call.args[0])
        where = next((word.value for word in call.keywords if word.arg == "where"), None)
        if where is None:  # all of a group, by path: no index is needed
            continue
        assert isinstance(where, ast.Dict), f"list_group({group!r}) states its filter in place"
        asked[group] = sorted(str(ast.literal_eval(key)) for key in where.keys if key)
    assert asked == {group: sorted(fields) for group, fields in indexed.items()}


def test_nothing_is_filtered_by_a_field_without_an_index() -> None:
    exempt = folder(TERRAFORM / "modules" / "documents").locals()["never_filtered"]
    unindexed = {field for fields in exempt.values() for field in fields}
    for room in ("shared", "functions"):
        for path in (ROOT / room).rglob("*.py"):
            for keys in re.findall(r"where\s*=\s*{([^}]*)}", path.read_text()):
                assert not unindexed & set(re.findall(r'"(\w+)"\s*:', keys)), path


def test_what_expires_is_what_the_product_gives_a_time_of_expiry() -> None:
    from shared.homes.documents import EXPIRING
    from shared.homes.documents.document_checks import EXPIRES_FIELD

    documents = folder(TERRAFORM / "modules" / "documents")
    field = next(each for each in resources("google_firestore_field") if each.name == "expires")
    assert field.body["field"] == EXPIRES_FIELD
    rooms = {
        "dead_letters": "shared/messages/dead_letters.py",
        "requests": "functions/api/idempotency.py",
        "uploads": "functions/api/uploads.py",
        "webhook_deliveries": "shared/messages/webhooks.py",
    }
    assert documents.locals()["expiring"] == sorted(rooms) == sorted(EXPIRING)
    for collection, path in rooms.items():
        text = (ROOT / path).read_text()
        assert collection in text and "expires_at" in text and "KEPT_S" in text, path


# -- alerts, and the lines that they count -------------------------------------------------------


def test_each_alert_leads_to_its_runbook() -> None:
    text = folder(TERRAFORM / "modules" / "monitoring").text
    headings = _headings(ROOT / "docs" / "operations.md")
    alerts = set(folder(TERRAFORM / "modules" / "monitoring").locals()["alerts"]) - {"__comments__"}
    alerts |= set(re.findall(r"\$\{var\.runbook\}#([\w-]+)", text))
    assert len(alerts) >= 7
    assert alerts <= headings
    for each in resources("google_monitoring_alert_policy"):
        assert "var.runbook" in each.body["documentation"][0]["content"], each


def _headings(page: Path) -> set[str]:
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_the_lines_that_are_counted_are_logged() -> None:
    metrics = folder(TERRAFORM / "modules" / "monitoring").locals()["metrics"]
    source = "".join(
        path.read_text() for room in ("shared", "functions") for path in (ROOT / room).rglob("*.py")
    )
    counted = {
        word for text in strings(metrics) for word in re.findall(r'"([a-z]+\.\w+)\\?"', text)
    }
    assert {"step.settled", "message.buried", "sweep.leases"} <= counted
    assert not {event for event in counted if f'"{event}"' not in source}


def test_metrics_are_those_of_the_docs() -> None:
    metrics = folder(TERRAFORM / "modules" / "monitoring").locals()["metrics"]
    page = (ROOT / "docs" / "observability.md").read_text()
    table = page.split("| metric |")[1].split("\n\n")[0]
    documented = {
        name.replace(" ", "_"): set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| ([\w ]+) \|.*\|([^|]*)\|$", table, re.MULTILINE)
    }
    assert documented == {
        name: set(row["labels"]) for name, row in metrics.items() if name != "errors"
    }, "lines of severity ERROR need no row"


def test_no_secret_is_in_the_tree() -> None:
    assert not resources("google_secret_manager_secret_version"), "values would be in the state"
    assert not list(TERRAFORM.rglob("*.tfstate*"))

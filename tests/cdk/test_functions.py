"""The functions: what runs in them, what they are told, and how they reach snapshots."""

import importlib
import json
from pathlib import Path

import pytest

from . import calls
from .template import Template
from .test_permissions import snake

pytestmark = pytest.mark.cdk
ROOT = Path(__file__).parents[2]
ASL = json.loads((ROOT / "state_machines/compaction.asl.json").read_text())
HEAVY = {
    "".join(part.capitalize() for part in module.removeprefix("handlers.").split("_"))
    for module, imports in calls.SOURCES.imports.items()
    if module.startswith("handlers.") and any(base.startswith("receipt_chroma") for base, _name in imports.values())
} - {"Probe"}
"""The functions whose handlers need Chroma's package, but for the one that is there only with `probe=on`."""


def handler_of(function: dict[str, object]) -> str:
    command = function.get("ImageConfig")
    return str(function.get("Handler") or command["Command"][0])  # type: ignore[index]


def state_timeouts() -> dict[str, int]:
    """The shortest timeout of the states that invoke a function."""
    found: dict[str, int] = {}
    levels = [ASL["States"], *(s["ItemProcessor"]["States"] for s in ASL["States"].values() if s["Type"] == "Map")]
    for state in (state for level in levels for state in level.values() if state["Type"] == "Task"):
        name = state["Parameters"].get("FunctionName", "")[2:-4]
        if name:
            found[name] = min(state["TimeoutSeconds"], found.get(name, 10**6))
    return found


def test_every_handler_is_a_function_of_the_code(dev: Template) -> None:
    for function in dev.functions().values():
        module, _, name = handler_of(dict(function)).rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))


def test_a_misspelt_handler_is_noticed(dev: Template) -> None:
    wrong = Template(json.loads(json.dumps(dev.body).replace("handlers.merge_deltas.", "handlers.merge_delta.")))
    with pytest.raises(ModuleNotFoundError):
        test_every_handler_is_a_function_of_the_code(wrong)


def test_every_function_of_the_state_machine_is_deployed_and_the_two_consumers_of_events(dev: Template) -> None:
    assert set(dev.functions()) == set(state_timeouts()) | {"StreamHandler", "RecordExecution"}


def test_a_function_ends_before_its_state_gives_up(dev: Template) -> None:
    for name, seconds in state_timeouts().items():
        assert dev.functions()[name]["Timeout"] < seconds, name


def test_every_function_is_told_what_its_code_reads(dev: Template) -> None:
    from handlers.settings import Settings

    # With these the default of handlers/settings.py is right on AWS.
    by_default = {
        "DELTA_BUCKETS",  # told where there are any
        "EXPIRED_FOR_SECONDS",
        "MESSAGES_QUEUE_URL",
        "PROBE",  # told where it is on
        "WORK_ROOT",
        "MAX_RECORDS_PER_ROUND",
        "MAX_BYTES_PER_ROUND",
        "VALIDATE_ALL_UP_TO_RECORDS",
    }
    for name, function in dev.functions().items():
        told = set(function["Environment"]["Variables"])
        read = calls.settings_read(f"handlers.{snake(name)}", snake(name))
        read = {"EFS_ROOT" if variable == "EFS" else variable for variable in read} - {"FOLD_BOUND"}
        assert read - by_default <= told, name
    assert by_default <= {field.upper() for field in Settings.__dataclass_fields__}


def test_the_environment_is_one_that_the_settings_accept(dev: Template) -> None:
    from handlers.settings import Settings

    for function in dev.functions().values():
        plain = {k: v if isinstance(v, str) else "x" for k, v in function["Environment"]["Variables"].items()}
        Settings.from_environment(plain)


def test_metrics_of_two_stages_do_not_mix(dev: Template, prod: Template) -> None:
    def services(template: Template) -> set[str]:
        return {f["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] for f in template.functions().values()}

    assert services(dev) == {"receipt-compaction-dev"}
    assert services(prod) == {"receipt-compaction-prod"}


def test_light_functions_share_one_zip_outside_the_vpc_on_arm(dev: Template) -> None:
    light = {name: f for name, f in dev.functions().items() if name not in HEAVY}
    assert len({json.dumps(f["Code"]) for f in light.values()}) == 1
    for function in light.values():
        assert "VpcConfig" not in function
        assert function["Architectures"] == ["arm64"]


def test_heavy_functions_share_one_image_and_differ_in_their_command(dev: Template) -> None:
    heavy = [f for name, f in dev.functions().items() if name in HEAVY]
    assert len({json.dumps(f["Code"]) for f in heavy}) == 1
    assert len({f["ImageConfig"]["Command"][0] for f in heavy}) == len(HEAVY)
    assert all(f["Architectures"] == ["x86_64"] for f in heavy)


def test_heavy_functions_mount_the_snapshots_and_write_elsewhere_only_to_tmp(dev: Template) -> None:
    for name in HEAVY:
        function = dev.functions()[name]
        (mount,) = function["FileSystemConfigs"]
        variables = function["Environment"]["Variables"]
        assert mount["LocalMountPath"] == variables["EFS_ROOT"]
        assert mount["LocalMountPath"].startswith("/mnt/")
        assert variables["HOME"] == variables["SQLITE_TMPDIR"] == "/tmp"


def test_a_function_gives_the_memory_of_its_threads_back(dev: Template) -> None:
    arenas = {n: f["Environment"]["Variables"].get("MALLOC_ARENA_MAX") for n, f in dev.functions().items()}
    assert set(arenas.values()) == {"2"}


def test_a_heavy_function_is_made_after_every_mount_target(dev: Template) -> None:
    targets = set(dev.all("EFS::MountTarget"))
    for logical_id, function in dev.all("Lambda::Function").items():
        if Template.name_of(function) in HEAVY:
            assert targets <= set(dev.body["Resources"][logical_id]["DependsOn"]), logical_id


def test_a_function_is_made_after_its_role_may_do_everything(dev: Template) -> None:
    for logical_id, function in dev.all("Lambda::Function").items():
        role = function["Role"]["Fn::GetAtt"][0]
        policies = {n for n, p in dev.all("IAM::Policy").items() if {"Ref": role} in p["Roles"]}
        assert policies
        assert policies <= set(dev.body["Resources"][logical_id]["DependsOn"]), logical_id


def test_orphans_are_spared_for_four_times_the_longest_function(dev: Template, prod: Template) -> None:
    for template in (dev, prod):
        functions = template.functions()
        grace = int(functions["ExpireSnapshots"]["Environment"]["Variables"]["EXPIRE_GRACE_SECONDS"])
        assert grace >= 4 * max(function["Timeout"] for function in functions.values())


def test_logs_are_kept_for_a_time_and_not_for_ever(dev: Template) -> None:
    assert all(group["RetentionInDays"] > 0 for group in dev.all("Logs::LogGroup").values())
    assert all("LogGroup" in function["LoggingConfig"] for function in dev.functions().values())

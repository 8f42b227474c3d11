"""Environments: the one a worker is born with, and the changes to this process's own while a stack runs."""

import os
from collections.abc import Mapping
from pathlib import Path

from local import names
from local.application import Application, Function
from local.lambdas.memory import FEW_ARENAS
from local.settings import StackSettings

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "SSL_CERT_FILE", "LD_LIBRARY_PATH")
"""Of the person's own environment a worker sees this much; nothing that could lead it to a real account."""

_OWN_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}

PROCESS_ENVIRONMENT = {
    **CREDENTIALS,
    **_OWN_FILES,
    "AWS_REGION": names.REGION,
    "AWS_DEFAULT_REGION": names.REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    # With it, boto3 addresses DynamoDB streams by an account's own host name, which moto does not know.
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
}
"""What this process needs while a stack runs: the Step Functions interpreter makes its own clients from it."""

_CLEARED = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)


class ProcessEnvironment:
    """Changes to os.environ that are taken back."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._before: dict[str, str] | None = None

    def enter(self) -> None:
        """Set the values; drop whatever would lead a client to a real account or to another endpoint."""
        self._before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        for name in self._before:
            if name in _CLEARED or name.startswith("AWS_ENDPOINT_URL"):
                del os.environ[name]
        os.environ.update(self._values)

    def leave(self) -> None:
        """Every AWS_ variable is again what it was."""
        if self._before is None:
            return
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            if name not in self._before:
                del os.environ[name]
        os.environ.update(self._before)
        self._before = None


def handler_environment(
    *, settings: StackSettings, endpoint_url: str, efs_root: Path, work_root: Path, failure_queue_url: str
) -> dict[str, str]:
    """What every handler reads; on AWS each function gets its part of it."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "RECEIPTS_TABLE": names.RECEIPTS_TABLE,
        "CONTROL_TABLE": names.CONTROL_TABLE,
        "BUCKET": names.BUCKET,
        "STATE_MACHINE_ARN": names.STATE_MACHINE_ARN,
        "EFS_ROOT": str(efs_root),
        "WORK_ROOT": str(work_root),
        "FAILURE_QUEUE_URL": failure_queue_url,
        "MIN_COMMIT_INTERVAL_SECONDS": str(settings.min_commit_interval_seconds),
        "MAX_RECEIPTS_PER_ROUND": str(settings.max_receipts_per_round),
        "KEEP_SNAPSHOTS": str(settings.keep_snapshots),
        "EXPIRE_GRACE_SECONDS": str(settings.expire_grace_seconds),
        "EXPIRED_FOR_SECONDS": str(settings.expired_for_seconds),
        **_fold_bound(settings),
        **({"PROBE": "on"} if settings.probe else {}),
        "POWERTOOLS_METRICS_NAMESPACE": "Compaction",  # Powertools refuses to work without it
        "POWERTOOLS_LOG_LEVEL": "INFO",
        **settings.environment,
    }


def _fold_bound(settings: StackSettings) -> dict[str, str]:
    given = {
        "FOLD_LEAST": settings.fold_least,
        "FOLD_MOST": settings.fold_most,
        "FOLD_SHARE": settings.fold_share,
        "FOLD_SEGMENTS": settings.fold_segments,
    }
    return {name: str(value) for name, value in given.items() if value is not None}


def worker_environment(application: Application, function: Function, handlers: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of one function's workers: that of a Lambda, plus `handlers`."""
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        **CREDENTIALS,
        **_OWN_FILES,
        "AWS_REGION": names.REGION,
        "AWS_DEFAULT_REGION": names.REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "LAMBDA_TASK_ROOT": str(application.root),
        "_HANDLER": function.handler,
        "TZ": ":UTC",
        "PYTHONPATH": str(application.root),
        "ANONYMIZED_TELEMETRY": "False",
        "POWERTOOLS_SERVICE_NAME": "compaction",
        **FEW_ARENAS,
        "TMPDIR": handlers.get("WORK_ROOT", "/tmp"),
        **handlers,
    }

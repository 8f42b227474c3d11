"""The environment of a function, read once into one typed object."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from receipt_dynamo_stream.errors import CompactionError


class SettingsError(CompactionError):
    """The function's environment lacks a value or has one of the wrong kind: the deployment is wrong, not the data."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a function may know of where it runs. Every field is the environment variable of its name in capitals.

    Durations are in seconds. A field without a default must be set wherever its function uses it; the empty string
    stands for "not deployed here" (a zip function has no EFS, a container function starts no execution). fold_…: the
    parts of the fold bound; None is FoldBound's own. delta_buckets: other buckets that a run's prefix may name, with
    commas between. probe: "on" where receipts of probes touch the probe's generation alone.
    """

    control_table: str
    receipts_table: str
    bucket: str
    state_machine_arn: str = ""
    efs_root: str = ""
    failure_queue_url: str = ""
    messages_queue_url: str = ""
    alerts_topic_arn: str = ""
    deployment: str = ""
    work_root: str = "/tmp"
    delta_buckets: str = ""
    probe: str = ""
    min_commit_interval_seconds: int = 15
    max_receipts_per_round: int = 250
    max_records_per_round: int = 50_000
    max_bytes_per_round: int = 512 * 1024 * 1024
    default_shards: int = 1
    keep_snapshots: int = 10
    expire_grace_seconds: int = 3600
    expired_for_seconds: int = 3600
    validate_all_up_to_records: int = 100_000
    fold_least: int | None = None
    fold_most: int | None = None
    fold_share: float | None = None
    fold_segments: int | None = None

    @property
    def efs(self) -> Path:
        """The folder that holds one folder per collection; SettingsError where no EFS is mounted."""
        if not self.efs_root:
            raise SettingsError("EFS_ROOT is not set: this function works on snapshots and needs EFS mounted")
        return Path(self.efs_root)

    @property
    def fold_bound(self) -> dict[str, Any]:
        """The parts of the fold bound that are not left to it: `FoldBound(**settings().fold_bound)`."""
        given = {
            "least": self.fold_least,
            "most": self.fold_most,
            "share": self.fold_share,
            "segments": self.fold_segments,
        }
        return {part: value for part, value in given.items() if value is not None}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings, or raise SettingsError naming every variable that is missing or not a number."""
        values: dict[str, str | int | float] = {}
        wrong: list[str] = []
        for field in fields(cls):
            name = field.name.upper()
            raw = environment.get(name)
            if raw is None:
                if field.name in _REQUIRED:
                    wrong.append(f"{name} is missing")
            elif "int" in str(field.type):
                if raw.isdecimal():
                    values[field.name] = int(raw)
                else:
                    wrong.append(f"{name}={raw!r} is not a whole number")
            elif "float" in str(field.type):
                if re.fullmatch(r"\d+(\.\d+)?", raw, re.ASCII):
                    values[field.name] = float(raw)
                else:
                    wrong.append(f"{name}={raw!r} is not a number")
            else:
                values[field.name] = raw
        if wrong:
            raise SettingsError("set the function's environment: " + "; ".join(wrong))
        return cls(**values)  # type: ignore[arg-type]


_REQUIRED = {"control_table", "receipts_table", "bucket"}


@cache
def settings() -> Settings:
    """This process's settings."""
    return Settings.from_environment(os.environ)

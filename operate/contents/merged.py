"""What a version brought and what an execution merged, by receipt, from the plans and merge reports on S3.

A step that is retried leaves a plan or a report of each attempt. What counts is what the machine went on with: the plan
that the VERSION row names, and of its reports those whose shards the manifest names. Lifecycle rules delete plans and
reports after a time: that is said by a value, never raised.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from receipt_chroma.snapshot.manifest import FOLD, RESHARD, RESTORE, Manifest, ManifestShard
from receipt_chroma.storage.tree import segment_path, shard_path, shard_version_of
from receipt_dynamo_stream.bucket import ListedObject
from receipt_dynamo_stream.errors import SchemaUnsupported, StoredObjectDamaged
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt
from receipt_dynamo_stream.round.report import MergeCounts, ReceiptReport, ShardReport

from operate.contents.merged_models import MergedReceipt, MergedRound, MergedShard, RefusedRun, WhatCame
from operate.errors import VersionUnreadable
from operate.lineage import Version
from operate.models import parse_time
from operate.stack import Stack

_AT_ONCE: Final = 8
_PLAN: Final = re.compile(r"plans/[^/]+/(?P<execution>[^/]+)/(?P<round>\d+)-[^/]+\.json\.gz")
_REPORT: Final = re.compile(r"reports/[^/]+/(?P<execution>[^/]+)/(?P<round>\d+)/\d+-[^/]+\.json\.gz")


def what_came(stack: Stack, collection: str, given: str | None) -> WhatCame:
    """What a published version brought, given by number or snapshot id, also an EXPIRED one. Raises VersionNotFound."""
    version = stack.versions.find(collection, given, expired=True)
    versions = [version, *(one for one in stack.versions.of(collection) if one.snapshot_id != version.snapshot_id)]
    planned = _PLAN.fullmatch(version.plan_key)
    took_up: str | None = None
    problem: str | None = None
    merged: MergedRound | None = None
    if planned is None:
        problem = "its row names no plan"
    elif version.kind == FOLD:
        problem = (
            "a fold merges nothing: it has the records of its parent, in a base that it wrote of base and segments"
        )
        took_up = version.parent
    elif version.kind == RESHARD:
        problem = "a re-shard merges nothing: it has the records of its parent, in another number of shards"
        took_up = version.parent
    elif version.kind == RESTORE:
        problem = "a restore merges nothing: it has the records of its parent, past every version that readers saw"
        took_up = version.parent
    elif planned["execution"] != version.execution:
        problem = "a rollback merges nothing: it publishes the records of an older version again"
        by = (version.plan_key, planned["execution"])
        took_up = next((one.snapshot_id for one in versions if (one.plan_key, one.execution) == by), None)
        took_up = took_up or stack.versions.row(collection, version.snapshot_id).rollback
    else:
        rounds = _rounds(stack, collection, version.execution, versions, only=int(planned["round"]))
        merged = next((one for one in rounds if one.plan_key == version.plan_key), None)
        problem = None if merged else "its plan is gone: plans and reports are kept for a time only"
    return WhatCame(collection, version.version, version.snapshot_id, took_up, problem, merged)


def what_merged(stack: Stack, collection: str, execution: str) -> tuple[MergedRound, ...]:
    """The rounds of an execution, given by its whole name, as far as plans of it are kept; also while it runs."""
    return _rounds(stack, collection, execution, stack.versions.of(collection))


def used_reports(plan_key: str, reports: Iterable[ShardReport], manifest: Manifest | None) -> dict[int, ShardReport]:
    """The report of each shard that a round went on with, of all that attempts of it left, the oldest first.

    The manifest that was made of them tells which: it names the base or the segment that the attempt staged. Where it
    names none of this round, the shard did not change, and all attempts that found so say the same. Without a manifest
    the newest counts.
    """
    used: dict[int, ShardReport] = {}
    for report in reports:
        if report.plan_key == plan_key and (manifest is None or _is_of(report, manifest)):
            used[report.shard] = report
    return used


def _is_of(report: ShardReport, manifest: Manifest) -> bool:
    shard = next((one for one in manifest.shards if one.shard == report.shard), ManifestShard(report.shard))
    paths = {shard.path, *(segment.path for segment in shard.segments)} - {None}
    if report.staged is not None:
        return shard_path(report.shard, report.staged.shard_version) in paths
    if report.segment is not None:
        return segment_path(report.shard, report.segment.segment_version) in paths
    return not any(f"/{shard_version_of(manifest.snapshot_id, '')}" in str(path) for path in paths)


@dataclass
class _Left:
    """What an execution left of one round, the oldest first, and what of it could not be read."""

    plans: list[ListedObject] = field(default_factory=list)
    reports: list[ShardReport] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def plan_key(self, made: Mapping[str, Version]) -> str:
        """The plan that a version was made from, or else one that was merged, or else the newest."""
        keys = [stored.key for stored in self.plans]
        merged = [report.plan_key for report in self.reports]
        return next(key for key in (*(set(keys) & made.keys()), *reversed(merged), *reversed(keys)) if key in keys)


def _rounds(
    stack: Stack, collection: str, execution: str, versions: Sequence[Version], only: int | None = None
) -> tuple[MergedRound, ...]:
    left: defaultdict[int, _Left] = defaultdict(_Left)
    for number, stored in _numbered(_PLAN, stack.stored.plans_of(collection, execution), only):
        left[number].plans.append(stored)
    listed = [one for one in _numbered(_REPORT, stack.stored.reports_of(collection, execution), only) if one[0] in left]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reports") as pool:
        for number, report in pool.map(lambda one: (one[0], _report(stack, one[1].key)), listed):
            if isinstance(report, ShardReport):
                left[number].reports.append(report)
            elif report is not None:
                left[number].problems.append(report)
    made = {version.plan_key: version for version in versions if version.execution == execution}
    return tuple(_round(stack, collection, execution, number, left[number], made) for number in sorted(left))


def _numbered(
    pattern: re.Pattern[str], stored: Iterable[ListedObject], only: int | None
) -> list[tuple[int, ListedObject]]:
    """Objects with the number of their round, the oldest first."""
    oldest_first = sorted(stored, key=lambda one: (one.written_at, one.key))
    matched = [(pattern.fullmatch(one.key), one) for one in oldest_first]
    numbered = [(int(match["round"]), one) for match, one in matched if match]
    return [one for one in numbered if only in (None, one[0])]


def _report(stack: Stack, key: str) -> ShardReport | str | None:
    try:
        return stack.stored.report(key)
    except (SchemaUnsupported, StoredObjectDamaged) as error:
        return f"{key}: {error}"


def _round(
    stack: Stack, collection: str, execution: str, number: int, left: _Left, made: Mapping[str, Version]
) -> MergedRound:
    plan_key = left.plan_key(made)
    version, problems = made.get(plan_key), list(left.problems)
    plan = None
    try:
        plan = stack.stored.plan(plan_key)
    except (SchemaUnsupported, StoredObjectDamaged) as error:
        problems.append(f"{plan_key}: {error}")
    if plan is not None and version is None:
        version = stack.versions.archived_one(collection, plan.snapshot_id)
    manifest = None
    if version is not None and version.state != "expired":
        try:
            manifest = stack.stored.manifest(version.pointer)
        except VersionUnreadable as error:
            problems.append(str(error))
    used = used_reports(plan_key, left.reports, manifest)
    attempts = [report.shard for report in left.reports if report.plan_key == plan_key]
    said = {one.receipt: one for report in used.values() for one in report.receipts}
    touched = sorted({*(plan.touched_shards() if plan else ()), *attempts})
    return MergedRound(
        collection=collection,
        execution=execution,
        round=number,
        plan_key=plan_key,
        plans=len(left.plans),
        trigger=plan.trigger if plan else None,
        planned_at=parse_time(plan.planned_at) if plan else None,
        base_version=_base_version(plan),
        version=version.version if version else None,
        snapshot_id=version.snapshot_id if version else None,
        state=version.state if version else None,
        receipts=tuple(_receipt(one, said.get(one.facts.receipt)) for one in plan.receipts) if plan else (),
        refusals=tuple(
            RefusedRun(one.receipt.key, one.run_id, one.error, one.message)
            for report in used.values()
            for one in report.refusals
        ),
        shards=tuple(_shard(shard, attempts.count(shard), used.get(shard)) for shard in touched),
        counts=sum((report.counts for report in used.values()), MergeCounts()).to_json(),
        seconds=_slowest(used.values()),
        problems=tuple(problems),
    )


def _base_version(plan: Plan | None) -> int | None:
    if plan is None:
        return None
    return plan.base.version if plan.base else 0


def _receipt(planned: PlannedReceipt, said: ReceiptReport | None) -> MergedReceipt:
    return MergedReceipt(
        receipt=planned.facts.receipt.key,
        shard=planned.shard,
        exists=planned.facts.exists,
        attempts=planned.attempts,
        first_changed_at=parse_time(planned.first_changed_at),
        runs=dict(said.runs) if said else {},
        counts=said.counts.to_json() if said else None,
    )


def _shard(shard: int, attempts: int, report: ShardReport | None) -> MergedShard:
    if report is None:
        return MergedShard(shard, attempts, None, {}, {})
    counts, seconds = report.counts.to_json(), dict(report.seconds)
    return MergedShard(shard, attempts, report.changed, counts, seconds, *_wrote(report))


def _wrote(report: ShardReport) -> tuple[str | None, int]:
    if report.staged is not None:
        return "base", sum(file.size for file in report.staged.files)
    return ("segment", report.segment.size) if report.segment is not None else (None, 0)


def _slowest(reports: Iterable[ShardReport]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for report in reports:
        for step, duration in report.seconds.items():
            seconds[step] = max(duration, seconds.get(step, 0.0))
    return seconds

"""Where one receipt's changes are: which version has them, what waits, which readers can see it. Reads only.

Requests, for each collection: some reads of the tables, the versions that are not archived, the manifest of the current
one, and the index of the receipt's shard. Of LOOKED_AT versions, and of at most as many older ones that its runs name,
the plan; where that names the receipt, its shard's report, and where attempts left several also the manifest.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from receipt_chroma.errors import RunTimeInvalid
from receipt_chroma.snapshot.manifest import MERGE
from receipt_chroma.snapshot.published_rows import ReceiptPlace
from receipt_chroma.wanted import is_too_old
from receipt_dynamo_stream import names
from receipt_dynamo_stream.control.head import parse_snapshot_id
from receipt_dynamo_stream.errors import KeyMalformed, SchemaUnsupported, StoredObjectDamaged
from receipt_dynamo_stream.facts import ReceiptFacts, RunFact
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.keys import ReceiptId
from receipt_dynamo_stream.round.plan import Plan, PlannedReceipt
from receipt_dynamo_stream.round.report import ReceiptReport
from receipt_dynamo_stream.runs import CompactionRun
from receipt_dynamo_stream.times import instant

from operate.adopt.adopted import is_of_another_collection
from operate.contents.contents import Contents
from operate.contents.merged import used_reports
from operate.errors import ReceiptNotFound, VersionUnreadable
from operate.lineage import Version, version_number
from operate.receipts import Announced, Waits
from operate.stack import Stack
from operate.whereabouts.models import QUARANTINED, MergedChange, PendingChange, ReceiptWhere, RunOfReceipt, Where

LOOKED_AT: Final = 20
"""How many of the newest merged versions are asked what they brought of the receipt."""
RUNS: Final = 50
"""How many of its runs are told, the newest first."""
TAKEN_BACK, EARLIER, FOR_NO_GENERATION = "taken back", "of an earlier receipt", "for no generation"

_AT_ONCE: Final = 8


def where_is(stack: Stack, contents: Contents, receipt: ReceiptId, collections: Sequence[str]) -> ReceiptWhere:
    """Where a receipt is in each of these collections. Raises ReceiptNotFound, TransientServiceError."""
    announced = stack.receipts.announced(receipt)
    found = tuple(_where(stack, contents, collection, receipt, announced) for collection in collections)
    known = announced.exists or announced.runs or any(one.records or one.pending or one.changes for one in found)
    if not known and not any(one.problem for one in found):
        raise ReceiptNotFound(
            f"no receipt {receipt.image_id}/{receipt.receipt_id} in the table, in what waits or in a current version:"
            " give the image's id whole, as `compaction doctor` and the pages of the console have it"
        )
    return ReceiptWhere(receipt.key, announced.exists, announced.timestamp_added, found)


def _where(stack: Stack, contents: Contents, collection: str, receipt: ReceiptId, announced: Announced) -> Where:
    waits = stack.receipts.waits(collection, receipt)  # first: what is settled meanwhile is in the version read after
    head = stack.collections.head(collection)
    published = [one for one in stack.versions.of(collection) if one.published]
    place, problem = None, None
    if head is not None and head.pointer is not None:
        try:
            place = contents.place(stack.stored.manifest(head.pointer), receipt)
        except VersionUnreadable as error:
            problem = str(error)
    as_of = _written_by(place)
    models = {name: stack.collections.model(name) for name in stack.collections.generations(collection).active}
    model = head.model if head else ""
    all_runs = [
        run
        for run in announced.runs
        if run.of(collection).delta_prefix
        and _is_about(run, collection)
        and (run.of(collection).model == model or _waits_for_a_generation(run, collection, models.values()))
    ]
    named = {*(run.of(collection).version for run in all_runs[:RUNS]), as_of}
    changes = _changes(stack, collection, receipt, _to_look_at(published, named), published)
    runs = tuple(_run(run, collection, announced, waits, changes, published, model) for run in all_runs[:RUNS])
    return Where(
        collection=collection,
        version=head.version if head else 0,
        readers=head.projected_version if head else 0,
        paused=head.paused if head else None,
        records=None if problem else place.records if place else 0,
        since=_since(as_of, runs, changes, published) if place else None,
        as_of=as_of,
        pending=_pending(waits),
        runs=runs,
        more_runs=max(0, len(all_runs) - RUNS),
        changes=changes,
        looked_at=min(LOOKED_AT, sum(map(_is_merge, published))),
        problem=problem,
    )


# What versions brought


def _to_look_at(published: Sequence[Version], named: set[int | None]) -> list[Version]:
    """The newest merged versions, and older ones that are named, the newest first."""
    merged = [one for one in published if _is_merge(one)]
    return merged[:LOOKED_AT] + [one for one in merged[LOOKED_AT:] if one.version in named][:LOOKED_AT]


def _is_merge(version: Version) -> bool:
    return version.kind in (None, MERGE) and f"/{version.execution}/" in version.plan_key


def _changes(
    stack: Stack, collection: str, receipt: ReceiptId, versions: Sequence[Version], published: Sequence[Version]
) -> tuple[MergedChange, ...]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="where") as pool:
        found = pool.map(lambda version: _change(stack, collection, receipt, version, published), versions)
        return tuple(change for change in found if change is not None)


def _change(
    stack: Stack, collection: str, receipt: ReceiptId, version: Version, published: Sequence[Version]
) -> MergedChange | None:
    """What a version brought of the receipt; None where its plan does not name it, is gone or cannot be read."""
    try:
        plan = stack.stored.plan(version.plan_key)
    except (SchemaUnsupported, StoredObjectDamaged):
        return None
    planned = next((one for one in plan.receipts if one.facts.receipt == receipt), None) if plan else None
    if plan is None or planned is None:
        return None
    said = _reported(stack, collection, version, plan, planned)
    return MergedChange(
        version=version.version,
        execution=version.execution,
        came_at=instant(planned.first_changed_at),
        seen_at=version.made_at,
        exists=planned.facts.exists,
        runs=dict(said.runs) if said else {},
        counts=said.counts.to_json() if said else None,
        taken_back=_taken_back(version.version, published),
    )


def _reported(
    stack: Stack, collection: str, version: Version, plan: Plan, planned: PlannedReceipt
) -> ReceiptReport | None:
    prefix = f"reports/{collection}/{version.execution}/{plan.round}/{planned.shard:04d}-"
    stored = [one for one in stack.stored.reports_of(collection, version.execution) if one.key.startswith(prefix)]
    oldest_first = sorted(stored, key=lambda one: (one.written_at, one.key))
    try:
        reports = [report for one in oldest_first if (report := stack.stored.report(one.key)) is not None]
        several = len(reports) > 1 and version.state != "expired"
        manifest = stack.stored.manifest(version.pointer) if several else None
    except (SchemaUnsupported, StoredObjectDamaged, VersionUnreadable):
        return None
    used = used_reports(version.plan_key, reports, manifest).get(planned.shard)
    return next((one for one in used.receipts if one.receipt == planned.facts.receipt), None) if used else None


def _taken_back(version: int, published: Sequence[Version]) -> int | None:
    """The oldest rollback since a version that published an older one again; rows in the archive are not asked."""
    targets = {one.version: version_number(one.rollback) for one in published if one.rollback}
    return min((by for by, target in targets.items() if by > version and target and target < version), default=None)


def _since(
    as_of: int | None, runs: Sequence[RunOfReceipt], changes: Sequence[MergedChange], published: Sequence[Version]
) -> int | None:
    """The oldest version that is known to have had records, none since without: nobody deleted them since, or who did
    was taken back by it."""
    gone = [change for change in changes if not change.exists]
    had = {as_of, *(change.taken_back for change in gone)}
    had |= {run.version for run in runs if run.state == names.COMPLETED.lower() and run.vectors}
    had |= {change.version for change in changes if change.counts and change.counts.get("added")}
    lost = max((change.version for change in gone), default=0)
    return min((one for one in had if one and one > lost and not _taken_back(one, published)), default=None)


def _written_by(place: ReceiptPlace | None) -> int | None:
    """The version that wrote the base or segment where the records are: its snapshot id is in their name."""
    if place is None:
        return None
    try:
        return parse_snapshot_id("-".join(place.path.rpartition("/")[2].split("-")[:3])).version
    except KeyMalformed:
        return None


# What the tables say


def _run(
    run: CompactionRun,
    collection: str,
    announced: Announced,
    waits: Waits,
    changes: Sequence[MergedChange],
    published: Sequence[Version],
    model: str,
) -> RunOfReceipt:
    told = run.of(collection)
    state, version, says = told.state.lower(), told.version, told.error
    if told.state == names.COMPLETED and version is not None and (by := _taken_back(version, published)) is not None:
        again = [change.version for change in changes if change.version > by and change.taken_back is None]
        state, version = (state, min(again)) if again else (TAKEN_BACK, version)
        says = None if again else f"version {by} published an older one again"
    if run.run_id in waits.noted:
        says = f"{waits.noted[run.run_id].note}: {waits.noted[run.run_id].message}"
    elif told.note:
        says = told.note
    if _is_earlier(run, collection, announced):
        state = EARLIER
    elif told.model != model:
        state = FOR_NO_GENERATION
        named = f"the model {told.model}" if told.model else "no model of its own, as the first has"
        says = f"no generation of {collection_of(collection)} that is kept up has {named}: it waits for one"
    if (refused := waits.quarantined.get(run.run_id)) is not None:
        state, says = QUARANTINED, f"{refused.error}: {refused.message}"
    times = instant(run.created_at), instant(told.finished_at)
    return RunOfReceipt(run.run_id, state, *times, told.merged_vectors, version, says)


def _is_about(run: CompactionRun, collection: str) -> bool:
    return not is_of_another_collection(run.run_id, collection)


def _waits_for_a_generation(run: CompactionRun, collection: str, models: Iterable[str]) -> bool:
    """Whether it is of a model that no generation which is kept up has, and was not merged while one had it."""
    told = run.of(collection)
    return told.model not in models and told.state == names.PENDING


def _is_earlier(run: CompactionRun, collection: str, announced: Announced) -> bool:
    facts = ReceiptFacts(run.receipt, announced.exists, announced.timestamp_added)
    try:
        return is_too_old(RunFact(run.created_at or "", run.run_id, run.of(collection).delta_prefix), facts)
    except RunTimeInvalid:
        return False


def _pending(waits: Waits) -> PendingChange | None:
    one = waits.pending
    if one is None:
        return None
    times: Mapping[str, str] = {"since": one.first_changed_at, "last": one.last_changed_at}
    return PendingChange(
        **{name: instant(text) for name, text in times.items()},
        reasons=tuple(sorted(one.reasons)),
        attempts=one.attempts,
        together=one.together,
    )

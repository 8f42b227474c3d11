"""Act 6: the published snapshot answers queries, and an independent model says whether it is right."""

from __future__ import annotations

from local.demo.exporting import export_current
from local.demo.naive.model import Verdict, check_collection
from local.demo.naive.table import scan_receipts
from local.demo.result import CollectionResult, DemoResult
from local.demo.samples.embedding import embed_text
from local.demo.samples.producer import COLLECTIONS
from local.demo.stage import Stage
from local.demo.tally import ENDINGS, count_endings, ending, median_seconds

_SHOWN = 3


def answer_queries(stage: Stage) -> None:
    """One query per collection, about goods that are on a receipt."""
    stage.act(6, "The published snapshots answer queries")
    receipt = stage.receipts[0]
    lines = [receipt.line(row.line_ids[0]) for row in receipt.rows if row.section == "ITEMS"]
    goods = next(line for line in lines if any(not word.noise for word in line.words))
    word = max((word.text for word in goods.words if not word.noise), key=len)
    for collection, asked in (("words", word), ("lines", goods.text)):
        typed = asked.lower()
        reader = stage.readers[collection]
        reader.refresh()
        vector = embed_text(typed, stage.settings.dimension).tolist()
        hits = reader.nearest(vector, _SHOWN)
        rows = [
            (hit.document, f"{1 - hit.distance / 2:.2f}", hit.metadata.get("merchant_name", ""), hit.id) for hit in hits
        ]
        stage.progress.table(f"{collection}: “{typed}”", ("document", "similarity", "merchant", "record"), rows)
        best = hits[0].document or ""
        stage.claim(typed in best.lower(), f"the best answer to “{typed}” to say {asked}", best)


def judge(stage: Stage) -> DemoResult:
    """Compare everything published with the independent model, and count how it came about."""
    with stage.quiet(), stage.progress.waiting("deriving every record anew, and comparing"):
        receipts = scan_receipts(stage.stack.client("dynamodb"), stage.stack.connection.receipts_table)
        exports = stage.stack.folder / "export"
        for collection in COLLECTIONS:
            export_current(stage.efs, collection, exports / collection)
        verdicts = {
            collection: check_collection(
                receipts,
                stage.stack.client("s3"),
                bucket=stage.stack.connection.bucket,
                efs=stage.efs,
                collection=collection,
                dimension=stage.settings.dimension,
                exported=exports / collection,
            )
            for collection in COLLECTIONS
        }
        result = DemoResult(
            efs=stage.efs,
            collections={name: _collection_result(stage, verdict) for name, verdict in verdicts.items()},
            steps=_steps(stage),
        )
    _tell(stage, result)
    stage.progress.say(f"Any program may open {exports}/words with chromadb.PersistentClient: a plain copy of it.")
    return result


def _collection_result(stage: Stage, verdict: Verdict) -> CollectionResult:
    quarantined = {run.run_id for run in stage.quarantined(verdict.collection)}
    differences = list(verdict.differences)
    if quarantined != verdict.refused.keys():
        differences.append(f"in quarantine are {sorted(quarantined)}, corrupt are {sorted(verdict.refused)}")
    return CollectionResult(
        version=verdict.version,
        records=verdict.records,
        expected_records=verdict.expected_records,
        executions=count_endings(stage.executions(verdict.collection)),
        visible_seconds=tuple(stage.watchers[verdict.collection].seconds),
        quarantined=len(quarantined),
        differences=tuple(differences),
    )


def _steps(stage: Stage) -> dict[str, float]:
    executions = stage.stack.executions
    return median_seconds(
        executions.history(execution.arn) for execution in executions.find() if ending(execution) == "published"
    )


def _tell(stage: Stage, result: DemoResult) -> None:
    rows = []
    for name, collection in result.collections.items():
        seconds = collection.to_json()["visible_seconds"]
        equal = "equal" if not collection.differences else f"{len(collection.differences)} differences"
        counts = [collection.executions[ended] for ended in ENDINGS]
        rows.append((name, collection.version, collection.records, collection.expected_records, equal, *counts,
                     collection.quarantined, seconds["p50"], seconds["max"]))  # fmt: skip
    columns = ("collection", "version", "records", "expected", "independent model", *ENDINGS, "quarantined",
               "visible p50 s", "max s")  # fmt: skip
    stage.progress.table("In the end", [name.replace("_", " ") for name in columns], rows)
    steps = sorted(result.steps.items(), key=lambda step: -step[1])
    stage.progress.table("Median seconds by step", ("step", "seconds"), [(name, f"{took:.3f}") for name, took in steps])
    for name, collection in result.collections.items():
        for difference in collection.differences[:20]:
            stage.progress.say(f"{name}: {difference}")
    stage.progress.say(f"The snapshots stay in {result.efs}.")

"""The commands that look at every receipt, and bring the records of others in: doctor, adopt, announce."""

from argparse import Namespace
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from receipt_dynamo_stream.generations import collection_of
from rich.text import Text

from console.cli.commands import print_json, stack_of
from console.cli.progress import Progress, stderr_console, stdout_console
from console.cli.render_adopt import adoption_tables, diagnosis_tables, who_is_needed
from operate.errors import UsageError
from operate.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from receipt_dynamo_stream.facts import ReceiptFacts
    from receipt_dynamo_stream.keys import ReceiptId

    from operate.adopt.doctor import Patient

    Facts = Mapping[ReceiptId, ReceiptFacts]


def doctor(arguments: Namespace) -> int:
    """Exit code 1 when anything is missing, or there that should not be. Raises VersionUnreadable."""
    from operate.adopt.bucket import look_at_bucket
    from operate.adopt.doctor import diagnose

    patient = _patient(arguments)
    collections = [arguments.collection] if arguments.collection else list(patient.collections())
    with Progress(stderr_console()).telling("looking") as tell:
        found = diagnose(patient, collections, tell)
        bucket = look_at_bucket(patient.bucket, deployed=patient.stack is not None)
    clean = all(one.clean for one in found) and not bucket.troubles
    if arguments.json:
        told = {one.collection: one.to_json() for one in found}
        print_json({"collections": told, "bucket": asdict(bucket), "clean": clean})
        return 0 if clean else 1
    stdout = stdout_console()
    for one in found:
        for table in diagnosis_tables(one, width=stdout.width):
            stdout.print(table)
    if patient.stack is not None and any(finding.examples for one in found for finding in one.findings):
        stdout.print("`compaction where RECEIPT` says more of one: when its changes came, and which version has them.")
    for text in bucket.troubles:
        stdout.print(Text(text, style="bold red"))
    for text in bucket.notes:
        stdout.print(Text(text))
    if patient.stack is None:
        stdout.print("No stack was asked: this is what the first round would find.")
    stdout.print(who_is_needed(found, bucket=bool(bucket.troubles)))
    return 0 if clean else 1


def adopt(arguments: Namespace) -> int:
    """Raises UsageError, and subclasses of DeltaRefused for a directory that cannot be read."""
    from operate.adopt.table import Models, scan_table

    patient = _patient(arguments)
    with Progress(stderr_console()).telling("reading the table") as tell:
        told = scan_table(
            patient.dynamodb,
            patient.table,
            {arguments.collection: Models()},
            lambda seen: tell(f"reading the table: {count_of(seen, 'receipt')}"),
        )
    facts = told[arguments.collection].facts
    return _undo(arguments, patient, facts) if arguments.undo else _adopt(arguments, patient, facts)


def _adopt(arguments: Namespace, patient: "Patient", facts: "Facts") -> int:
    from operate.adopt.adoption import plan_adoption, source_directory, write_adoption

    stderr, stdout = Progress(stderr_console()), stdout_console()
    with ExitStack() as opened:
        directory = opened.enter_context(source_directory(arguments.source, lambda: patient.bucket.s3))
        with stderr.waiting("reading the directory"):
            dimension = patient.dimension(arguments.collection)
            now = datetime.now(UTC).isoformat()
            planned = plan_adoption(directory, facts, arguments.collection, dimension=dimension, now=now)
            adoption = opened.enter_context(planned)
        if not arguments.json:
            for table in adoption_tables(adoption):
                stdout.print(table)
        if arguments.yes:
            with stderr.counting("adopting", len(adoption.runs), "receipt") as progress:
                write_adoption(
                    adoption,
                    bucket=patient.bucket,
                    dynamodb=patient.dynamodb,
                    receipts_table=patient.table,
                    progress=progress,
                )
    if arguments.json:
        print_json({**adoption.to_json(), "written": arguments.yes})
    elif arguments.yes:
        stdout.print(f"{count_of(len(adoption.runs), 'run')} announced: a round merges them. Then `compaction doctor`.")
    elif adoption.runs:
        stdout.print("Nothing was written: --yes writes it.")
    return 0


def _undo(arguments: Namespace, patient: "Patient", facts: "Facts") -> int:
    from operate.adopt.adoption import adopted_receipts, undo_adoption

    receipts = adopted_receipts(facts.values(), arguments.collection)
    if arguments.yes:
        with Progress(stderr_console()).counting("deleting", len(receipts), "adopted run") as progress:
            undo_adoption(
                receipts,
                arguments.collection,
                dynamodb=patient.dynamodb,
                receipts_table=patient.table,
                progress=progress,
            )
    if arguments.json:
        keys = [receipt.key for receipt in receipts]
        print_json({"collection": arguments.collection, "receipts": keys, "written": arguments.yes})
        return 0
    runs = count_of(len(receipts), "adopted run")
    stdout_console().print(f"{runs} deleted." if arguments.yes else f"{runs} would be deleted: --yes does it.")
    return 0


def announce(arguments: Namespace) -> int:
    """Raises UsageError, and subclasses of DeltaRefused before anything is written."""
    from receipt_chroma.batch import announce_batch, read_batch

    patient = _patient(arguments)
    collection = collection_of(arguments.collection)
    model = arguments.model if arguments.model is not None else patient.model(arguments.collection)
    generation = patient.generation_with(collection, model)
    place = Path(arguments.place)
    if not place.exists():
        raise UsageError(f"{place} is not there")
    stderr = Progress(stderr_console())
    with stderr.waiting("announcing"), read_batch(place, arguments.collection) as records:
        runs = announce_batch(
            patient.dynamodb,
            patient.table,
            patient.bucket,
            created_at=datetime.now(UTC).isoformat(),
            dimension=None if generation is None else patient.dimension(generation),
            models={collection: model},
            **{collection: records},
        )
        total = len(records)
    if arguments.json:
        print_json(
            {
                "collection": arguments.collection,
                "model": model,
                "generation": generation,
                "records": total,
                "runs": [{"receipt": run.receipt.key, "run_id": run.run_id} for run in runs],
            }
        )
        return 0
    records_of = f"{count_of(total, 'record')} of {arguments.collection}"
    stdout_console().print(f"{count_of(len(runs), 'run')} announced, with {records_of}.")
    if generation is None:
        named = f"the model {model}" if model else "its first model"
        stdout_console().print(Text(f"They wait: no generation of {collection} that is kept up has {named}."))
    return 0


def _patient(arguments: Namespace) -> "Patient":
    from operate.adopt.doctor import Patient
    from operate.connection import bucket_alone, client_alone

    if arguments.table is None and arguments.bucket is None:
        return Patient.of(stack_of(arguments))
    if arguments.table is None or arguments.bucket is None:
        raise UsageError("--table and --bucket go together: the prefixes of the table's runs are in that bucket")
    if arguments.stack:
        raise UsageError("--table and --bucket are for before there is a stack: leave out --stack")
    dynamodb = client_alone("dynamodb", arguments.region)
    return Patient(dynamodb, arguments.table, bucket_alone(arguments.bucket, arguments.region))

"""The commands that bring receipts into the local stack that runs: samples, or one's own."""

import random
from argparse import Namespace
from pathlib import Path

from receipt_dynamo_stream.bucket import Bucket
from rich.text import Text

from console.cli.commands import print_json
from console.cli.progress import Progress, stderr_console, stdout_console
from operate.connection import Connection, load_local
from operate.errors import UsageError
from operate.services import new_unique, utc_now
from operate.stack import Stack
from operate.wording import count_of

THE_STREAM = "The stream does the rest: `compaction status` shows them pending, then published."


def sample(arguments: Namespace) -> int:
    """Other receipts each time, unless a seed says which. Raises StackNotRunning."""
    connection = load_local()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    with Progress(stderr_console()).waiting(f"writing {count_of(arguments.receipts, 'sample receipt')}"):
        write_sample(connection, arguments.receipts, seed)
    if arguments.json:
        print_json({"receipts": arguments.receipts, "seed": seed})
        return 0
    stdout_console().print(f"{count_of(arguments.receipts, 'sample receipt')} written (--seed {seed}). {THE_STREAM}")
    return 0


def load(arguments: Namespace) -> int:
    """Raises StackNotRunning; LoadRefused, and UsageError of a file that is not there, of an embedder and of vectors of
    another length than what is published, before anything is written."""
    from console.embedding import named_embedder, sample_embedder
    from local.loading import load, read_rows

    connection = load_local()
    files = [Path(file) for file in arguments.files]
    if missing := [str(file) for file in files if not file.exists()]:
        raise UsageError(f"{', '.join(missing)}: there is no such file")
    rows = read_rows(files)
    embedder = sample_embedder() if arguments.embedder is None else named_embedder(arguments.embedder)
    made = rows[0].vector is None
    _check_dimension(connection, len(rows[0].vector or embedder.embed([rows[0].text], None)[0]))
    receipts = len({row.receipt for row in rows})
    with Progress(stderr_console()).counting("loading", receipts, "receipt") as done:
        loaded = load(
            rows,
            dynamodb=connection.client("dynamodb"),
            table=connection.receipts_table,
            bucket=Bucket(connection.client("s3"), connection.bucket),
            embedder=embedder,
            now=utc_now().isoformat(),
            new_run_id=new_unique,
            done=done,
        )
    if arguments.json:
        written = {"receipts": loaded.receipts, "lines": loaded.lines, "words": loaded.words}
        print_json({**written, "embedder": embedder.name if made else None})
        return 0
    stdout = stdout_console()
    what = ", ".join(
        (count_of(loaded.receipts, "receipt"), count_of(loaded.lines, "line"), count_of(loaded.words, "word"))
    )
    by = f"embedded by {embedder.name}" if made else "with the vectors of the file"
    stdout.print(Text(f"{what} written, {by}. {THE_STREAM}"))
    if made and arguments.embedder is not None:
        stdout.print(Text(f"Texts are asked for with the same: compaction query words TEXT --embedder {embedder.name}"))
    return 0


def _check_dimension(connection: Connection, dimension: int) -> None:
    collections = Stack(connection).collections
    for name in collections.names():
        if (published := collections.status(name).dimension) not in (None, dimension):
            raise UsageError(
                f"the vectors of {name} have {published} floats and these have {dimension}: take an embedder of that"
                " length, or begin with `compaction up` without samples"
            )


def write_sample(connection: Connection, count: int, seed: int) -> None:
    """Put sample receipts and their runs into the table, as producers do; the stream does the rest."""
    from local.demo.samples.embedding import DIMENSION
    from local.demo.samples.producer import Producer
    from local.demo.samples.receipts import sample_receipts

    rng = random.Random(seed)  # noqa: S311 -- sample data, the same for a seed
    producer = Producer(
        dynamodb=connection.client("dynamodb"),
        s3=connection.client("s3"),
        table=connection.receipts_table,
        bucket=connection.bucket,
        dimension=DIMENSION,
        rng=rng,
    )
    producer.put_receipts(producer.plan_uploads(sample_receipts(rng, count, utc_now())))

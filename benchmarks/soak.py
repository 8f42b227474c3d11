"""How much a local stack grows: an edit every so often, and the resident memory of every process of it.

    python benchmarks/soak.py --minutes 10 --every 0.5

Prints one JSON object a line: a sample every half a minute, then what is left at the end. Edits cost what they cost in
`compaction up`, only more of them: a week of one every seven seconds is 86,400.
"""

import argparse
import gc
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local.demo.samples.catalog import MERCHANTS
from local.demo.samples.embedding import DIMENSION
from local.demo.samples.model import Receipt
from local.demo.samples.producer import Producer
from local.demo.samples.receipts import sample_receipts
from local.lambdas.memory import few_arenas
from local.settings import lasting
from local.stack import LocalStack
from operate.services import utc_now

SAMPLE_SECONDS = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two edits")
    parser.add_argument("--receipts", type=int, default=20)
    parser.add_argument("--edited", type=int, default=2, help="how many of them are edited, one after the other")
    parser.add_argument("--schedule", type=float, default=0.5, help="seconds between two executions of the schedule")
    parser.add_argument("--kept", type=int, default=60, help="seconds for which a version is kept, then EXPIRED")
    asked = parser.parse_args()
    few_arenas()
    settings = replace(lasting(1), expire_grace_seconds=asked.kept, expired_for_seconds=asked.kept)
    settings = replace(settings, plans_kept_seconds=asked.kept, schedule_seconds=asked.schedule)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, LocalStack(Path(folder), settings) as stack:
        receipts = sample_receipts(random.Random(7), asked.receipts, utc_now())
        soak(stack, Path(folder), receipts, minutes=asked.minutes, every=asked.every, edited=asked.edited)


def soak(
    stack: LocalStack, folder: Path, receipts: Sequence[Receipt], *, minutes: float, every: float, edited: int
) -> None:
    """Write the receipts, then give the first of them another shop, one after the other."""
    producer = Producer(
        dynamodb=stack.client("dynamodb"),
        s3=stack.client("s3"),
        table=stack.connection.receipts_table,
        bucket=stack.connection.bucket,
        dimension=DIMENSION,
        rng=random.Random(7),
    )
    producer.put_receipts(producer.plan_uploads(receipts))
    began = sampled = time.monotonic()
    for edit in itertools.count():
        now = time.monotonic()
        if now - sampled >= SAMPLE_SECONDS or edit == 0:
            sampled = now
            print(json.dumps(sample(stack, folder, edit, now - began)), flush=True)
        if now - began > minutes * 60:
            break
        receipt = receipts[edit % edited]
        producer.change_merchant(receipt, replace(MERCHANTS[0], name=f"shop {edit}"))
        time.sleep(max(0.0, began + (edit + 1) * every - time.monotonic()))
    gc.collect()
    print(json.dumps({"end": True, **sample(stack, folder, edit, time.monotonic() - began)}), flush=True)


def sample(stack: LocalStack, folder: Path, edits: int, seconds: float) -> dict[str, Any]:
    """Resident memory in MB of this process and of all workers, and what is on disk."""
    workers = stack.workers.pids()
    return {
        "seconds": round(seconds),
        "edits": edits,
        "stack_mb": round(resident(os.getpid())),
        "workers": len(workers),
        "workers_mb": round(sum(map(resident, workers))),
        "disk_mb": round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6),
    }


def resident(pid: int) -> float:
    """Of a process, in MB; 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()

"""Many receipts published one by one, and folds in a process beside, as in production: what it writes, what waits."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any, Final

from measured import Cost
from merge_data import COLLECTION, delta_of
from publish_data import BUCKET, SIZES, Ground, Scale, copy_of, new_facts
from publish_steps import project, publish, warm_up
from receipt_chroma import load_manifest
from receipt_chroma.fold import fold_shard, validate_fold, write_fold
from receipt_chroma.folding import FoldBound, shards_to_fold
from receipt_chroma.records import metadata_bytes, vector_bytes
from receipt_chroma.stage import Attempt
from receipt_dynamo_stream.control.head import Head, Pointer
from receipt_dynamo_stream.round.fold_report import FoldReport

SECONDS_BETWEEN: Final = 2.0
"""Publications come so far apart while a fold runs. As fast as they can they would outrun it, which makes folds rarer
and the bytes fewer than at any real pace."""

YIELDING: Final = "10"
"""The niceness of the process that folds. On AWS a fold is a function with cores of its own; two processes on two cores
would wait for each other, and the row would measure that."""


class FoldBeside:
    """Folds in another process, one at a time."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, str(Path(__file__).with_name("publish_measure.py")), "fold_on_demand", str(folder)]
        command = ["nice", "-n", YIELDING, *command]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._reports: SimpleQueue[str] = SimpleQueue()
        self.running = False
        Thread(target=self._listen, daemon=True).start()

    def begin(self, pointer: Pointer) -> None:
        """Fold what a version has, unless a fold runs."""
        assert self._process.stdin is not None
        self.running = True
        self._process.stdin.write(json.dumps(pointer.to_json()) + "\n")
        self._process.stdin.flush()

    def report(self, timeout: float = 0.0) -> FoldReport | None:
        """The report of the fold that ran, once it is done."""
        try:
            line = self._reports.get(timeout=timeout) if timeout else self._reports.get_nowait()
        except Empty:
            return None
        if not line:
            raise RuntimeError("the folding process has ended")
        self.running = False
        return FoldReport.decode(b64decode(line))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _listen(self) -> None:
        stream: IO[str] | None = self._process.stdout
        assert stream is not None
        for line in stream:
            self._reports.put(line)
        self._reports.put("")


def fold_on_demand(ground: Ground) -> None:
    """The other process: a pointer a line comes in, a validated fold a line goes out."""
    for number, line in enumerate(sys.stdin):
        pointer = Pointer.from_json(json.loads(line))
        attempt = Attempt(COLLECTION, f"fold-{number}", 0, 0, "a1", f"{pointer.snapshot_id}-fold")
        places = {**ground.places(), "workdir": ground.folder / "work-fold"}
        report = fold_shard(pointer, 0, attempt, **places)
        validate_fold(report, **places)
        print(b64encode(report.encode()).decode(), flush=True)


def publish_many(ground: Ground, scale: Scale) -> dict[str, Any]:
    """Publish, fold, commit the folds in between; seconds of publications and bytes per byte changed."""
    bound = FoldBound(least=scale.least_bound, most=scale.most_bound)
    warm_up(bound, ground.folder.parent)
    with copy_of(ground) as scratch:
        before, written, changed, folds = _tree_bytes(scratch), 0, 0, 0
        quiet: list[float] = []
        beside: list[float] = []
        cpu: list[float] = []
        folding = FoldBeside(scratch.folder)
        for facts in new_facts(scale.many):
            scratch.upload([facts])
            waited, ran = 0.0, folding.running
            if folding.running and (report := folding.report(0.01 if scale.many < 100 else 0.0)):
                begun = time.perf_counter()
                _commit_fold(scratch, report)
                waited = time.perf_counter() - begun
                written += _forget(scratch, str(report.base_path))
                folds += 1
            begun = time.perf_counter()
            cost = sum(publish(scratch, [facts], bound).values(), Cost())
            (beside if ran else quiet).append(cost.wall + waited)
            cpu.append(cost.cpu)
            changed += _bytes_of(facts)
            shutil.rmtree(scratch.folder / "s3" / BUCKET / COLLECTION)
            assert scratch.pointer is not None
            if not folding.running and shards_to_fold(load_manifest(scratch.bucket, scratch.pointer), bound):
                folding.begin(scratch.pointer)
            elif folding.running:
                time.sleep(max(0.0, begun + SECONDS_BETWEEN - time.perf_counter()))
        while folding.running:
            if report := folding.report(1.0):
                _commit_fold(scratch, report)
                folds += 1
        folding.close()
        written += _tree_bytes(scratch) - before
    return {
        "changed": changed,
        "written": written,
        "folds": folds,
        "p50": statistics.median(quiet),
        "p99": _p99(quiet),
        "p50_beside": statistics.median(beside) if beside else None,
        "p99_beside": _p99(beside) if beside else None,
        "beside": len(beside),
        "cpu": statistics.median(cpu),
    }


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]


def _commit_fold(ground: Ground, report: FoldReport) -> None:
    assert ground.pointer is not None
    version = ground.pointer.version
    head = Head(COLLECTION, fence=version + 1, pointer=ground.pointer, version=version, shards=ground.shards)
    written = write_fold(
        head,
        [report],
        execution="fold",
        trigger="bound",
        at="2026-02-01T00:00:00+00:00",
        bucket=ground.bucket,
        efs_root=ground.efs,
    )
    assert written is not None, "nothing else folds here, so no fold loses"
    ground.commit(written[0])
    project(ground, written[0])


def _bytes_of(facts: Any) -> int:
    """What the records of a receipt come to: id, document, metadata, vector."""
    return sum(
        len(one.id) + len(one.document or "") + len(metadata_bytes(one.metadata)) + len(vector_bytes(one.embedding))
        for one in delta_of(SIZES, facts)
    )


def _places(ground: Ground) -> tuple[Path, Path]:
    return ground.efs / COLLECTION, ground.folder / "s3" / BUCKET / "snapshots" / COLLECTION


def _tree_bytes(ground: Ground) -> int:
    """The bytes on EFS and in S3. Nothing published is written twice, but for CURRENT's few bytes."""
    return sum(path.stat().st_size for place in _places(ground) for path in place.rglob("*") if path.is_file())


def _forget(ground: Ground, base: str) -> int:
    """Delete a base that nothing names any more, for the disk's sake; how many bytes it had."""
    before = _tree_bytes(ground)
    for place in _places(ground):
        shutil.rmtree(place / base)
    return before - _tree_bytes(ground)

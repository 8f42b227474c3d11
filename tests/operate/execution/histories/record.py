"""Record these histories when the machine changed: `python -m tests.operate.execution.histories.record`."""

import json
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

from receipt_dynamo_stream.keys import ReceiptId

from local.settings import StackSettings
from local.stack import LocalStack

from ....pipeline.faults import after, after_report, at_update
from ....pipeline.world import World
from . import FOLDER

RECEIPTS = [ReceiptId(f"image-{number}", 1) for number in range(12)]
COMMIT = "execution = :me"
KEPT = (
    "collection",
    "count",
    "error",
    "input",
    "mode",
    "outcome",
    "reason",
    "result",
    "round",
    "shard",
    "trigger",
    "version",
)
SETTINGS = StackSettings(
    shards=4,
    schedule_seconds=None,
    batch_window_seconds=0.2,
    poll_seconds=0.05,
    environment={"MAX_RECEIPTS_PER_ROUND": "5"},
)


class Recorder:
    """One stack, emptied for every scene, in which nothing starts by itself."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack

    def scene(self, receipts: int) -> World:
        self._stack.reset()
        world = World(self._stack)
        self._stack.poller.pause()
        for receipt in RECEIPTS[:receipts]:
            mark(world, receipt)
        return world

    def save(self, name: str, arn: str) -> None:
        described = self._stack.client("stepfunctions").describe_execution(executionArn=arn)
        events = ",\n".join(json.dumps(brief(event), default=str) for event in self._stack.executions.history(arn))
        status, ended_at = described["status"].lower(), described.get("stopDate")
        head = f'{{"status": "{status}", "ended_at": {json.dumps(ended_at, default=str)}, "events": [\n'
        (FOLDER / f"{name}.json").write_text(f"{head}{events}\n]}}\n")
        print(f"{name}: {status}")


def mark(world: World, receipt: ReceiptId) -> None:
    world.put_receipt(receipt)
    world.announce(receipt)
    world.mark(receipt)


def brief(value: Any) -> Any:
    """An event without what nobody looks at: texts are cut, data keeps a few keys."""
    if isinstance(value, dict):
        dropped = ("inputDetails", "outputDetails", "roleArn", "region")
        return {key: brief_text(key, part) for key, part in value.items() if key not in dropped}
    return value


def brief_text(key: str, value: Any) -> Any:
    if key in ("input", "output"):
        return json.dumps(kept(json.loads(value)))
    if key == "parameters":
        return json.dumps({"FunctionName": json.loads(value).get("FunctionName", "none")})
    return value[:200] if key == "cause" else brief(value)


def kept(value: Any) -> Any:
    return {key: kept(part) for key, part in value.items() if key in KEPT} if isinstance(value, dict) else value


def rounds(recorder: Recorder) -> None:
    world = recorder.scene(3)
    recorder.save("published", ended(world, world.start(trigger="schedule")))
    recorder.save("nothing_pending", ended(world, world.start()))
    for receipt in RECEIPTS[5:]:
        mark(world, receipt)
    recorder.save("two_rounds", ended(world, world.start()))


def merging(recorder: Recorder) -> None:
    world = recorder.scene(3)
    with world.frozen("MergeDeltas", start=lambda: None) as arn:
        recorder.save("running", arn)
        recorder.save("coalesced", ended(world, world.start()))
        os.kill(world.stack.workers.in_flight("MergeDeltas")[0].pid, signal.SIGKILL)
    recorder.save("retried_and_rerun", ended(world, arn))
    world = recorder.scene(3)
    with world.frozen("MergeDeltas", start=lambda: None) as arn:
        world.sfn.stop_execution(executionArn=arn)
        ended(world, arn)
    world.until(lambda: not world.stack.workers.in_flight("MergeDeltas"), "the workers to be back")
    world.until(lambda: world.stack.executions.history(arn)[-1]["type"] == "MapIterationAborted", "moto's late events")
    recorder.save("aborted", arn)


def failing(recorder: Recorder) -> None:
    world = recorder.scene(2)

    def take_over() -> None:
        world.change_head("SET holder = :h ADD fence :one", {":h": {"S": "another"}, ":one": {"N": "1"}})

    with at_update(COMMIT, after(take_over)):
        recorder.save("fenced", ended(world, world.start()))
    world = recorder.scene(3)

    def damage() -> None:
        for file in (world.efs / "words/staging").rglob("segment.arrow"):
            file.write_bytes(bytes(len(file.read_bytes())))

    with after_report(damage):
        recorder.save("failed_in_map", ended(world, world.start()))
    world = recorder.scene(1)
    ended(world, world.start())
    world.change_head("SET version = :zero REMOVE snapshot_id, manifest_key, manifest_sha256", {":zero": {"N": "0"}})
    world.mark(RECEIPTS[0])
    recorder.save("failed_task", ended(world, world.start()))
    recorder.save("invalid_input", ended(world, world.start("receipts")))


def ended(world: World, arn: str) -> str:
    world.end_of(arn)
    return arn


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, LocalStack(Path(folder), SETTINGS) as stack:
        recorder = Recorder(stack)
        for scenes in (rounds, merging, failing):
            scenes(recorder)


if __name__ == "__main__":
    main()

"""One plain sentence for a step of a recording."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .effects import Effect, Kind

State = Mapping[str, Any]

_CALLS = {
    "PlanCompaction": "read what is pending, and what DynamoDB says of those receipts now",
    "DownloadSnapshot": "make sure that EFS has the version that HEAD names",
    "MergeDeltas": "write a segment with the records of the receipts that changed",
    "ValidateShard": "prove what was staged, in another process",
    "WriteManifest": "put the files into their places and write the manifest that names them",
    "SwapPointer": "show readers what HEAD names",
    "SwapCommitted": "compare what readers see with HEAD, and show them what HEAD names",
    "SettleChanges": "clear what is published now from the pending receipts",
    "ExpireSnapshots": "delete what no retained version names",
    "StartGenerations": "start other generations of the collection, if there are any",
    "InspectHolder": "ask Step Functions whether the lease's holder still runs",
    "PlanFold": "see which shards have much in their segments",
    "FoldShard": "make one base of a base and its segments, without the lease",
    "ValidateFold": "prove that the new base has the same records",
    "WriteFold": "put the new base into its place, under the segments that came meanwhile",
    "PrepareRollback": "write a manifest that names an older version's shards",
}
_FAULTS = {
    Kind.CRASH_BEFORE: "the process dies just before this",
    Kind.CRASH_AFTER: "the process dies just after this",
    Kind.LOSE_ANSWER: "this is done, and its answer is lost on the way",
    Kind.REPEAT: "this is done twice",
    Kind.REFUSE: "the service refuses this",
    Kind.LATE: "the caller is told that this timed out; it happens much later",
    Kind.STOP: "the execution is stopped here, but what it has begun goes on",
    Kind.OVERTAKE: "the execution is stopped here. What it has begun hangs, and goes on after another one",
}
_FILES = (
    (r"plans/", "what was read becomes a plan, written to the bucket"),
    (r"reports/", "what was done is reported to the bucket"),
    (r"snapshots/words/segments/", "the segment goes to the bucket, under a name of this attempt"),
    (r"snapshots/words/shards/", "a file of a base goes to the bucket, under a name of this attempt"),
    (r"snapshots/words/manifests/", "the manifest goes to the bucket. Nothing points at it yet"),
)


def struck(kind: Kind, effect: Effect) -> str:
    """Where a fault strikes."""
    return f"A fault strikes {effect.who}: {_FAULTS[kind]}."


def plain(effect: Effect) -> str:
    """What an effect is, without what its expression says."""
    return f"{effect.what} {re.split(' (?:SET|ADD|REMOVE) ', effect.on)[0]}"


def sentence(effect: Effect, state: str, before: State, after: State, refused: str | None) -> str:
    """What an effect did; `state` is the one of the machine that it is in, empty for what is none of an execution."""
    who = effect.who.split()[0]
    if effect.what == "invoke":
        return f"{who} calls the function {state}" + (f", to {_CALLS[state]}." if state in _CALLS else ".")
    if refused:
        return _refused(effect, state or who, before["head"].get("holder"))
    if effect.reads:
        return f"{state} reads HEAD, and changes nothing."
    if " / HEAD" in effect.on:
        return _of_head(who, state, before["head"], after["head"])
    if effect.what.startswith("dynamodb"):
        return _of_items(effect, state, before, after)
    if effect.what == "sfn.StartExecution":
        return "The stream function starts an execution; what changed is marked, so the execution carries no data."
    if effect.what.startswith("s3.Delete"):
        return f"{state} deletes files that no retained version names."
    return _of_files(effect, state, before, after)


def _refused(effect: Effect, who: str, holder: str | None) -> str:
    if "COMPACTION_RUN#" in effect.on:
        return f"{who}: the run says so already, or is gone. Nothing is changed."
    if who.startswith("Commit"):
        return (
            f"{who} is refused: the lease, the fence or the base is no longer what it was. Nothing is published by it."
        )
    if who == "AcquireLease":
        return f"AcquireLease is refused: {holder or 'somebody'} holds the lease."
    return f"{who} is refused: its condition does not hold any more. Nothing is changed."


def _of_head(who: str, state: str, old: State, new: State) -> str:
    if new.get("snapshot") != old.get("snapshot"):
        committed = f"{state} moves HEAD from version {old.get('version')} to {new['version']}"
        if int(new["version"]) <= int(old.get("version") or 0):
            return f"{committed}: it replaces what another execution has published!"
        return f"{committed}. This one write, with its condition, is what the world believes."
    if new.get("fence") != old.get("fence"):
        verb = "takes over" if old.get("holder") not in (None, who) else "takes"
        return f"{who} {verb} the lease of the collection: its fence grows from {old.get('fence')} to {new['fence']}."
    if new.get("holder") != old.get("holder"):
        return (
            f"{state} gives the lease back: the collection is free."
            if not new.get("holder")
            else (f"{state} hands the lease over to {new['holder']}.")
        )
    if new.get("rerun") != old.get("rerun"):
        return f"{state} asks the holder for another round." if new.get("rerun") else f"{state} clears the request."
    if new.get("paused") != old.get("paused"):
        return "The collection is paused." if new.get("paused") else "The collection is no longer paused."
    if new.get("shown") != old.get("shown"):
        return f"HEAD notes that readers are shown version {new['shown']}."
    return f"{state or who} writes to HEAD what is there already."


def _of_items(effect: Effect, state: str, before: State, after: State) -> str:
    receipt = re.search(r"IMAGE#(\w+)", effect.on)
    named = f"receipt {receipt[1]}" if receipt else "a receipt"
    if "PENDING#" in effect.on:
        if effect.what.endswith("DeleteItem"):
            return f"{state} clears {named}: its change is in the version that readers see."
        if after["pending"] != before["pending"] and not state:
            return f"The stream function marks {named} as pending. It says where to look, not what changed."
        return f"{state or effect.who} notes something at the pending {named}."
    if "COMPACTION_RUN#" in effect.on:
        return f"{state} tells the producer of {named} that its run is merged."
    if "QUARANTINE#" in effect.on:
        return f"{state} puts a run of {named} into quarantine, where it waits for a person."
    if "VERSION#" in effect.on:
        if effect.what.endswith("PutItem"):
            return f"{state} lists the new version as a candidate. Readers still see the one before."
        return f"{state} notes what became of a version in its row."
    return f"{state or effect.who} writes to DynamoDB: {plain(effect)}."


def _of_files(effect: Effect, state: str, before: State, after: State) -> str:
    place = "EFS" if effect.what.startswith("efs") else "the bucket"
    key = "efs" if place == "EFS" else "bucket"
    for name, told in (
        ("CURRENT", "Readers that refresh see it" if key == "efs" else "It is the durable copy"),
        ("SERVING", "It says which generation serves"),
    ):
        if before[key][name] != after[key][name]:
            return f"{state} points {name} on {place} at {after[key][name]}. {told}."
    if place == "the bucket":
        for pattern, told in _FILES:
            if effect.on.removeprefix("bucket/").startswith(pattern):
                return f"{state}: {told}."
    if "manifests/" in effect.on:
        return f"{state} writes the manifest to EFS. No reader looks at it yet."
    if "staging/" in effect.on and effect.what == "efs.rename":
        return f"{state} moves a staged file into its place. Nothing points at it yet."
    if "staging/" in effect.on and effect.what == "efs.replace":
        return f"{state} stages a file on EFS, where no reader looks."
    if re.search(r"rmdir|unlink|remove|rmtree", effect.what):
        return f"{state} removes what nobody needs any more from EFS."
    return f"{state} writes to {place}: {plain(effect)}."

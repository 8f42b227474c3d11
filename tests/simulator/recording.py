"""A trial as a recording: JSON that the console's player, and a page of its own, step through.

`FORMAT` is its version. A recording says what it is (`name`, `title`, `told`, `trial`), what is in it (`laws` and
`states`, a sentence for each) and its `frames`, in order. A frame has `at` (milliseconds of virtual time), `lane` (an
execution, or whoever acts), `says` (a sentence), and where they apply `state` (of the machine), `effect`, `fault`,
`refused`, `ends`, `broken`; `set` has what of the world is another than in the frame before:

- `head`: version, fence, snapshot, what readers are shown, the lease's holder, whether a rerun is asked for, pause
- `pending`, `quarantine`: receipts and runs; a pending receipt's change is numbered, a new one has another number
- `efs`, `bucket`: where CURRENT and SERVING point
- `versions`: every manifest, with its parent, segments, bases, and the state of its row
- `reader`: what one that refreshes now would see
- `laws`: of each invariant, whether it `holds`, is `broken`, or is to be asked `at rest`

Left out: reads by functions, folders, private and staging files that are opened, and the collection `lines`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pyarrow as pa

from operate.asl.stepper import called_states

from .broken import Broken
from .effects import Effect, Kind, stable
from .executions import Execution
from .sentences import plain, sentence, struck
from .trial import Trial

FORMAT = 1
LAWS = {
    "VersionsOnlyGrow": "neither HEAD nor CURRENT ever goes back",
    "OneLineage": "a version's parent is the one that its commit replaced",
    "FencedNeverPublishes": "whoever lost the lease commits nothing",
    "PausedPublishesNothing": "a paused collection is not published",
    "RetainedIsReadable": "every version that is kept has all its files",
    "ReadersNeverMix": "what a reader answers comes from one manifest, the one that HEAD names",
    "NoChangeLost": "a change is published, or pending, or in quarantine",
    "RowsConserved": "what is published is what DynamoDB says: nothing lost, nothing twice",
    "CrashLeavesGarbageOnly": "what crashed is healed by the next execution",
}
AT_EACH_STEP = tuple(LAWS)[:4]
"""The others are asked when all rests, RetainedIsReadable at each commit too."""

_ENDS = {"SUCCEEDED": "has ended", "FAILED": "has failed", "ABORTED": "was stopped"}


class Recorder:
    """Records a trial from now on."""

    def __init__(self, trial: Trial) -> None:
        self.trial, self.machine = trial, trial.machine
        self.frames: list[dict[str, Any]] = []
        self.begun: datetime = self.machine.scheduler.now
        self.resources = called_states(self.machine.stepfunctions.definition)
        self._state: dict[str, Any] = {}
        self._statuses: dict[str, str] = {}
        self._tokens: dict[str, int] = {}
        self._acts = len(self.machine.gate.story)
        self._laws = {name: "holds" if name in AT_EACH_STEP else "at rest" for name in LAWS}
        self.machine.gate.around = self._around

    def add(self, lane: str, says: str, **more: Any) -> None:
        """A frame, with the world as it is now."""
        now = self.world()
        change = {name: value for name, value in now.items() if value != self._state.get(name)}
        self._state = now
        at = round((self.machine.scheduler.now - self.begun).total_seconds() * 1000)
        kept = {name: value for name, value in more.items() if value}
        self.frames.append({"at": at, "lane": lane, "says": says, **kept, "set": change})

    @contextmanager
    def until_broken(self) -> Iterator[None]:
        """The end: all invariants hold, or one is broken."""
        try:
            yield
        except Broken as broken:
            law, _, why = str(broken).partition("\n")[0].partition(": ")
            self._laws[law] = "broken"
            self.add("check", f"{law} is broken: {stable(why)}.", broken=law)
        else:
            self._notice()
            self._laws = dict.fromkeys(LAWS, "holds")
            self.add("check", "All rests, and every invariant holds.")

    # -- what is looked at, past every gate

    def world(self) -> dict[str, Any]:
        """All of it, as values of JSON."""
        current = self._pointer(self._file("CURRENT"))
        return {
            "head": self._head(),
            "pending": [self._pending(row) for row in self._rows("PENDING#words")],
            "quarantine": [stable(row["SK"]) for row in self._rows("QUARANTINE#words")],
            "efs": {"CURRENT": current, "SERVING": self._pointer(self._file("SERVING"))},
            "bucket": {name: self._pointer(self._object(name)) for name in ("CURRENT", "SERVING")},
            "versions": self._versions(),
            "reader": self._reader(self._file("CURRENT")),
            "laws": dict(self._laws),
        }

    def _head(self) -> dict[str, Any]:
        head = self.machine.item()
        wanted = {
            "version": head.get("version"),
            "fence": head.get("fence"),
            "snapshot": short(head.get("snapshot_id")),
            "shown": head.get("projected_version"),
            "holder": self._label(head.get("holder")),
            "rerun": "rerun" in head,
            "paused": head.get("paused"),
        }
        return {name: value for name, value in wanted.items() if value}

    def _pending(self, row: dict[str, Any]) -> str:
        number = self._tokens.setdefault(row["change"], len(self._tokens) + 1)
        return f"{row['SK'].split('#')[1]}: change {number} ({', '.join(sorted(row['reasons'])).lower()})"

    def _versions(self) -> list[dict[str, Any]]:
        rows = {row["SK"].partition("#")[2]: row for row in self._rows("COLLECTION#words") if row["SK"] != "HEAD"}
        found = []
        for key, content in sorted(self.machine.objects().items()):
            if key.startswith("snapshots/words/manifests/"):
                manifest = json.loads(content)
                row = rows.get(manifest["snapshot_id"], {})
                found.append(
                    {
                        "snapshot": short(manifest["snapshot_id"]),
                        "parent": short((manifest.get("parent") or {}).get("snapshot_id")),
                        "kind": manifest["kind"],
                        "row": row.get("state", "none yet"),
                        "bases": sum(bool(shard.get("path")) for shard in manifest["shards"]),
                        "segments": sum(len(shard.get("segments", ())) for shard in manifest["shards"]),
                        "records": manifest["records"],
                    }
                )
        return found

    def _reader(self, current: bytes) -> dict[str, Any]:
        try:
            snapshot_id = json.loads(current)["snapshot_id"]
            manifest = json.loads((self.machine.efs / f"words/manifests/{snapshot_id}.json").read_bytes())
            labels: dict[str, str] = {}
            for shard in manifest["shards"]:
                for segment in shard.get("segments", ()):
                    labels |= _labels((self.machine.efs / "words" / segment["path"]).read_bytes())
        except (ValueError, OSError, KeyError):
            return {"sees": "nothing that can be read"}
        seen = [text for _receipt, text in sorted(labels.items()) if text]
        return {"sees": short(snapshot_id), "records": manifest["records"], "labels": seen}

    def _rows(self, partition: str) -> list[dict[str, Any]]:
        return sorted(self.machine.rows(partition), key=lambda row: str(row["SK"]))

    def _file(self, name: str) -> bytes:
        path = self.machine.efs / "words" / name
        return path.read_bytes() if path.is_file() else b""

    def _object(self, name: str) -> bytes:
        return self.machine.objects().get(f"snapshots/words/{name}", b"")

    @staticmethod
    def _pointer(content: bytes) -> str | None:
        if not content:
            return None
        try:
            found = json.loads(content)
        except ValueError:
            return "no JSON"
        return short(found.get("snapshot_id")) or f"{found.get('generation')} (order {found.get('order')})"

    def _label(self, arn: str | None) -> str | None:
        found = self.machine.stepfunctions.executions.get(arn or "")
        return found.label if found else arn and arn.rpartition(":")[2]

    # -- what happens

    def _around(self, effect: Effect, kind: Kind | None, do: Callable[[], Any]) -> Callable[[], Any]:
        self._notice()
        lane, state = self._place(effect)
        more = {"state": state, "effect": plain(effect)}
        if kind:
            self.add(lane, struck(kind, effect), fault=str(kind), **more)

        def recorded() -> Any:
            self._notice()
            if effect.what == "invoke":
                self.add(lane, sentence(effect, state, self._state, self._state, None), **more)
                return do()
            before = self.world()
            result = do()
            if kind or self._is_told(effect, state):
                refused = _refusal(result)
                self.add(lane, sentence(effect, state, before, self.world(), refused), refused=refused, **more)
            return result

        return recorded

    def _place(self, effect: Effect) -> tuple[str, str]:
        """(the lane, the state of the machine)."""
        first, _, rest = effect.who.partition(" ")
        if effect.what == "invoke":
            return first, effect.on
        function = {"StreamHandler": "stream"}.get(first, first if re.fullmatch(r"e\d+", first) else "operator")
        return function, rest

    def _is_told(self, effect: Effect, state: str) -> bool:
        if "lines" in effect.on.split("-")[0] or effect.on.endswith("#lines / HEAD") or effect.what == "efs.mkdir":
            return False
        if effect.what == "efs.open":
            return not (re.search(r"staging/|/\.[^/]*$|\.lock$", effect.on))
        return not effect.reads or ":dynamodb:" in self.resources.get(state, "")

    def _notice(self) -> None:
        """What a seed's history did, and executions that began or ended, since the last frame."""
        story = self.machine.gate.story
        acts, self._acts = [one.strip(" —") for one in story[self._acts :] if one.startswith("     —")], len(story)
        for act in acts:
            self.add("people", f"In the history of this seed: {act.replace('_', ' ')}.")
        for one in self.trial.executions:
            if not one.input["collection"].startswith("words"):
                continue
            known = self._statuses.get(one.label)
            if known is None:
                self._statuses[one.label] = "RUNNING"
                self.add(one.label, f"Execution {one.label} begins: {_why(one)}.", begins=True)
            if one.status != self._statuses[one.label]:
                self._statuses[one.label] = one.status
                ended = f"Execution {one.label} {_ENDS.get(one.status, 'goes on')}"
                self.add(one.label, f"{ended}: {_words(one)}." if one.outcome else f"{ended}.", ends=one.status)
                self.frames[-1]["at"] = self.frames[-2]["at"]  # it is seen only when something comes after it


def _words(one: Execution) -> str:
    return (one.outcome or "").replace("_", " ")


def _why(one: Execution) -> str:
    if one.input.get("trigger") == "schedule":
        return "the schedule starts it, as it does every few minutes"
    if one.input.get("trigger"):
        return f"it was started by the {one.input['trigger']}"
    return f"a person or a program started it, with mode {one.input.get('mode', 'compact')}"


def _refusal(result: Any) -> str | None:
    if getattr(result, "status_code", 200) < 400:
        return None
    return str(json.loads(result.content).get("__type", "")).partition("#")[2] or "refused"


def _labels(segment: bytes) -> dict[str, str]:
    """The labels of each receipt of a segment."""
    with pa.ipc.open_file(segment) as reader:
        rows = reader.read_all().to_pylist()
    found = {}
    for row in rows:
        words = []
        for record in row["records"]:
            metadata = json.loads(record["metadata"])
            signed = [f"{name} ✓" for name in metadata.get("valid_labels_array", ())]
            signed += [f"{name} ✗" for name in metadata.get("invalid_labels_array", ())]
            words.append(f"“{record['document']}”" + (f" {', '.join(signed)}" if signed else ""))
        found[row["receipt"]] = f"{row['receipt'].split('#')[1]}: {'; '.join(words)}" if words else ""
    return found


def short(snapshot_id: str | None) -> str | None:
    """`3-5-0` of `0000000003-0000000005-0`: version, fence, round."""
    return "-".join(str(int(part)) for part in snapshot_id.split("-")) if snapshot_id else None


def recording(recorder: Recorder, *, name: str, title: str, told: str, trial: str) -> dict[str, Any]:
    """What is written to a file."""
    states = recorder.machine.stepfunctions.definition["States"]
    inside = {n: s for one in states.values() for n, s in one.get("ItemProcessor", {}).get("States", {}).items()}
    used = {frame["state"] for frame in recorder.frames if "state" in frame}
    comments = {name: one.get("Comment", "") for name, one in sorted((states | inside).items()) if name in used}
    return {
        "format": FORMAT,
        "name": name,
        "title": title,
        "told": told,
        "trial": trial,
        "laws": LAWS,
        "states": comments,
        "frames": recorder.frames,
    }

"""Probe: what one instance of a function sees on the file system, asked for by `compaction conform`.

It is deployed only where a stack takes probes, and works below `.probe/{folder}` on the file system and on the probe's
own generation, nowhere else. Two instances meet by files there: who waits looks into the folder anew each time, since a
client of NFS may believe for a while that a name is missing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

from receipt_chroma.reader import SnapshotReader
from receipt_chroma.storage.files import write_atomically
from receipt_chroma.storage.tree import SEGMENTS, SHARDS, collection_folder, published_mark
from receipt_dynamo_stream.errors import CompactionError
from receipt_dynamo_stream.generations import collection_of
from receipt_dynamo_stream.probe import PROBE_GENERATION

from .border import ProbeInput, ProbeOutput
from .settings import settings
from .step import LambdaContext, step

INSTANCE = uuid4().hex
"""Of this process: a Lambda instance serves one invocation at a time, so two at once are two instances."""
PLACE = ".probe"
READY, DONE, ENDED = "ready", "done", "ended"
_LOOK_SECONDS = 0.01
_FOLDER = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)
_NAME = re.compile(r"[a-z-]{1,20}(/[a-z-]{1,20})?(\.[a-z]{1,10})?", re.ASCII)
_BLOCK = 1 << 20


class ProbeRefused(CompactionError):
    """The probe function was asked for what it does not do."""


class NotMet(CompactionError):
    """The other instance did not come, or its files were not seen, in the time that was given."""


@step
def probe(event: ProbeInput, _context: LambdaContext) -> ProbeOutput:
    """One command. Raises ProbeRefused and NotMet; what the file system answers is told, not raised."""
    names = event.get("name", "-"), event.get("also", "-")
    if (
        event["command"] not in _COMMANDS
        or not _FOLDER.fullmatch(event["folder"])
        or not all(map(_NAME.fullmatch, names))
    ):
        raise ProbeRefused(f"no command {event['command']!r} in {event['folder']!r} with the names {names}")
    folder = settings().efs / PLACE / event["folder"]
    if event["command"] not in ("clean", "forget"):
        folder.mkdir(parents=True, exist_ok=True)
    return {"instance": INSTANCE, "seen": _COMMANDS[event["command"]](folder, event)}


def _put(folder: Path, event: ProbeInput) -> dict[str, Any]:
    write_atomically(folder / event["name"], event["text"].encode())
    return {}


def _hold(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """Open a file, let the other instance do what it does, then read on through the handle, and open names anew."""
    with (folder / event["name"]).open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        begun = file.read(size // 2).decode()
        _say(_mark(folder, event, READY))
        _wait(_mark(folder, event, DONE), event["seconds"])
        held = _told(lambda: begun + file.read().decode())
    return {"held": held, "anew": _read(folder / event["name"]), "also": _read(folder / event.get("also", "-"))}


def _act(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """When the other instance holds `name` open: replace it, rename its folder, or remove it."""
    path = folder / event["name"]
    _wait(_mark(folder, event, READY), event["seconds"])
    if event["act"] == "replace":
        write_atomically(path, event["text"].encode())
    elif event["act"] == "rename":
        path.parent.rename((folder / event["also"]).parent)
    else:
        path.unlink()
    _say(_mark(folder, event, DONE))
    return {}


def _lock(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """Hold the lock until the other instance has tried it; then let it go, or be killed with it."""
    with (folder / event["name"]).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as snapshot.pointer takes it
        _say(_mark(folder, event, READY))
        _wait(_mark(folder, event, DONE), event["seconds"])
        if event.get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _try_lock(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """Whether the lock is refused while it is held, and after how many seconds it is had."""
    _wait(_mark(folder, event, READY), event["seconds"])
    with (folder / event["name"]).open("ab") as file:
        refused = not _has_lock(file.fileno())
        _say(_mark(folder, event, DONE))
        begun = time.monotonic()
        while not (had := _has_lock(file.fileno())) and time.monotonic() - begun < event["seconds"]:
            time.sleep(_LOOK_SECONDS)
    return {"refused": refused, "had": had, "after_seconds": time.monotonic() - begun}


def _has_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stamp(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """Replace a file `count` times with the time, as SwapPointer replaces CURRENT, when the other one looks."""
    write_atomically(folder / event["name"], b"0 0")
    _wait(_mark(folder, event, READY), event["seconds"])
    for number in range(1, event["count"] + 1):
        write_atomically(folder / event["name"], f"{number} {time.time()}".encode())
        time.sleep(5 * _LOOK_SECONDS)
    return {}


def _watch(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """How many seconds after it was written each replacement was first seen; the two clocks are those of two hosts."""
    delays, last, ends = [], 0, time.monotonic() + event["seconds"]
    _wait(folder / event["name"], event["seconds"])
    _say(_mark(folder, event, READY))
    went_back = False
    while last < event["count"] and time.monotonic() < ends:
        number, written = (folder / event["name"]).read_text().split()
        went_back = went_back or int(number) < last
        if int(number) > last:
            last = int(number)
            delays.append(time.time() - float(written))
    return {"delays": delays, "last": last, "went_back": went_back}


def _write_much(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """`count` MB to a file, and to the disk."""
    block, begun = os.urandom(_BLOCK), time.monotonic()
    with (folder / event["name"]).open("wb") as file:
        for _ in range(event["count"]):
            file.write(block)
        os.fsync(file.fileno())
    return {"seconds": time.monotonic() - begun, "bytes": event["count"] * _BLOCK}


def _read_much(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """The same from it. Meant for an instance that did not write it: that one has it in its own memory."""
    begun, size = time.monotonic(), 0
    with (folder / event["name"]).open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            size += len(block)
    return {"seconds": time.monotonic() - begun, "bytes": size}


def _leave(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """Leave a file in /tmp and stay until Lambda ends this; sooner only where the report itself ends."""
    _left(event).write_text(event["folder"])
    while ENDED not in _names(folder):
        time.sleep(0.5)
    _left(event).unlink(missing_ok=True)
    return {}


def _look(_folder: Path, event: ProbeInput) -> dict[str, Any]:
    """Whether that file is still in /tmp; it is removed."""
    there = _left(event).is_file()
    _left(event).unlink(missing_ok=True)
    return {"there": there}


def _left(event: ProbeInput) -> Path:
    return Path(settings().work_root) / f"probe-{event['folder']}"


def _follow(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """Keep one reader open while versions come: what it answered, asked again and again until `versions` is read."""
    answers: list[tuple[int, int]] = []
    ends = time.monotonic() + event["seconds"]
    with _reader() as reader:
        _say(_mark(folder, event, READY))
        while True:
            answer = reader.version, reader.count()
            if not answers or answers[-1] != answer:
                answers.append(answer)
            if answer[0] >= event["versions"] or time.monotonic() > ends:
                return {"answers": answers, "fallback": reader.fallback_reason}
            reader.refresh()
            time.sleep(_LOOK_SECONDS)


def _expired(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """A reader whose files are removed below it: what it answers then, and what it does with its next refresh.

    What expiry removes after the grace is removed here at once: every base and segment that there is, of the probe's
    generation alone.
    """
    with _reader() as reader:
        before = reader.version, reader.count()
        for name in (SHARDS, SEGMENTS):
            shutil.rmtree(collection_folder(settings().efs, PROBE_GENERATION) / name, ignore_errors=True)
        after = _told(lambda: f"{reader.version} {reader.count()} {len(list(reader.records()))}")
        _say(_mark(folder, event, READY))
        ends = time.monotonic() + event["seconds"]
        while reader.version < event["versions"] and time.monotonic() < ends:
            reader.refresh()
            time.sleep(_LOOK_SECONDS)
        return {"before": before, "after": after, "then": (reader.version, reader.count())}


def _clean(folder: Path, _event: ProbeInput) -> dict[str, Any]:
    """Remove the folder; what is left of it."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.parent.is_dir() and not any(folder.parent.iterdir()):
        folder.parent.rmdir()
    return {"left": [str(folder)] if folder.exists() else []}


def _forget(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """Remove the folder, and the probe's generation from the file system; what is left of them."""
    generation = collection_folder(settings().efs, PROBE_GENERATION)
    shutil.rmtree(generation, ignore_errors=True)
    published_mark(settings().efs, PROBE_GENERATION).unlink(missing_ok=True)
    return {"left": _clean(folder, event)["left"] + ([str(generation)] if generation.exists() else [])}


def _wait_for(folder: Path, event: ProbeInput) -> dict[str, Any]:
    """Until a name is seen."""
    _wait(folder / event["name"], event["seconds"])
    return {}


def _reader() -> SnapshotReader:
    name = collection_of(PROBE_GENERATION)
    return SnapshotReader(settings().efs, name, generation=PROBE_GENERATION, cache_dir=settings().work_root)


def _mark(folder: Path, event: ProbeInput, word: str) -> Path:
    """Where one instance tells the other of a name: beside what is renamed, not in it."""
    return folder / f"{event['name'].replace('/', '-')}.{word}"


def _say(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(path.open("wb")) as file:
        os.fsync(file.fileno())


def _wait(path: Path, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while path.name not in _names(path.parent):
        if time.monotonic() > ends:
            raise NotMet(f"{path.name} was not seen within {seconds:g} seconds")
        time.sleep(_LOOK_SECONDS)


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from [entry.name for entry in entries]
    except FileNotFoundError:
        return


def _read(path: Path) -> str:
    return _told(path.read_text)


def _told(read: Callable[[], str]) -> str:
    """What was read, or the name of what the file system answered."""
    try:
        return read()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except CompactionError as error:
        return type(error).__name__


_COMMANDS: Mapping[str, Callable[[Path, ProbeInput], dict[str, Any]]] = {
    "put": _put,
    "hold": _hold,
    "act": _act,
    "lock": _lock,
    "try_lock": _try_lock,
    "stamp": _stamp,
    "watch": _watch,
    "write_much": _write_much,
    "read_much": _read_much,
    "leave": _leave,
    "look": _look,
    "follow": _follow,
    "expired": _expired,
    "wait": _wait_for,
    "clean": _clean,
    "forget": _forget,
}

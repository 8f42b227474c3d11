"""What is inside a version: its records and receipts, and where its files come from."""

import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from receipt_chroma.shard.sqlite_files import SQLITE_FILE
from receipt_chroma.snapshot.download import shard_files
from receipt_chroma.snapshot.receipts import load_receipts
from receipt_chroma.storage.tree import INDEX_FILE, ROWS_FILE
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.keys import ReceiptId

from operate.contents import shard_files as shard_files_module
from operate.contents.contents import Contents
from operate.contents.shard_files import ShardFiles
from operate.errors import SnapshotNotFound, UsageError, VersionNotFound, VersionRefused, VersionUnreadable
from operate.stack import Stack
from operate.stored import Stored
from operate.whereabouts.where import where_is
from operate.whereabouts.wording import of_collection, of_receipt

from ...snapshots.test_rows_conserved import WORDS
from ...toy_stack.version_histories import A, B, History, NewHistory, contents_of, three_versions

COLLECTIONS = ("words", "lines")


@pytest.mark.parametrize("local", [True, False], ids=["EFS", "S3"])
@pytest.mark.parametrize(
    ("which", "versions"),
    [("history", 3), *(pytest.param(one, 6, marks=pytest.mark.slow) for one in ("segmented", "mixed"))],
)
def test_records_of_every_version_come_in_order_of_id_with_what_is_plainly_there(
    request: pytest.FixtureRequest, which: str, versions: int, local: bool
) -> None:
    history = request.getfixturevalue(which)
    with contents_of(history, local=local) as contents:
        for collection in COLLECTIONS:
            for pointer in history.versions[collection][:versions]:
                expected = history.content(collection, pointer)
                page = contents.records(collection, pointer.snapshot_id, limit=1_000)
                assert (page.version, page.snapshot_id, page.total) == (
                    *(pointer.version, pointer.snapshot_id, len(expected)),
                )
                found = [(record.id, record.document, record.metadata) for record in page.records]
                assert found == [(one, *expected[one][:2]) for one in sorted(expected)]
                counted = {one.receipt: one.records for one in contents.receipts(collection, pointer.snapshot_id)}
                assert counted == Counter(one.partition("#LINE#")[0] for one in expected)
                known = Stack(history.connection()).stored.receipts(history.manifest(pointer))
                assert sorted(receipt.key for receipt in known) == sorted(counted), "what reconcile reads"
                for receipt in (A, B):
                    of_receipt = contents.records(collection, pointer.snapshot_id, receipt=receipt.key, limit=1_000)
                    ids = [record.id for record in of_receipt.records]
                    assert ids == sorted(one for one in expected if one.startswith(f"{receipt.key}#"))
                    assert of_receipt.total == counted.get(receipt.key, 0)


def test_a_text_is_found_in_segments_as_in_bases(segmented: History) -> None:
    with contents_of(segmented) as contents:
        for pointer in segmented.versions["words"][:6]:
            expected = segmented.content("words", pointer)
            for text in ("TEXT 1", "line#00002#word", "image-B", "%"):
                page = contents.records("words", pointer.snapshot_id, containing=text, limit=1_000)
                wanted = [
                    one
                    for one, (document, _, _) in sorted(expected.items())
                    if text.casefold() in one.casefold() or text.casefold() in str(document).casefold()
                ]
                assert ([record.id for record in page.records], page.total) == (wanted, len(wanted))
                middle = contents.records("words", pointer.snapshot_id, containing=text, offset=1, limit=3)
                assert [record.id for record in middle.records] == wanted[1:4]


def test_pages_are_the_whole_in_parts_and_say_its_size(history: History) -> None:
    with contents_of(history) as contents:
        whole = contents.records("words", "3").records
        pages = [contents.records("words", "3", offset=offset, limit=4) for offset in range(0, 16, 4)]
        assert [record for page in pages for record in page.records] == list(whole)
        assert [len(page.records) for page in pages] == [4, 4, 3, 0]
        assert {page.total for page in pages} == {len(whole)}
        assert contents.records("words", "3", limit=0).records == ()


def test_records_are_found_by_receipt_and_by_a_text_in_id_or_document_in_any_case(history: History) -> None:
    with contents_of(history) as contents:
        page = contents.records("words", "3", receipt=A.key, offset=2, limit=2)
        assert (page.total, [record.id for record in page.records]) == (
            *(5, [f"{A.key}#LINE#00002#WORD#00002", f"{A.key}#LINE#00003#WORD#00001"]),
        )
        assert len({record.shard for record in contents.records("words", "3", receipt=A.key).records}) == 1
        page = contents.records("words", "3", containing="line#00002#word")
        assert (page.total, len(page.records)) == (4, 4)
        assert contents.records("words", "3", containing="TEXT 1").total == 11
        assert contents.records("words", "3", containing="text 1", offset=20).total == 11
        assert contents.records("words", "3", containing="text 1", receipt=B.key).total == 6
        for nowhere in ("%", "_", "'", "Sprouts"):
            assert contents.records("words", "3", containing=nowhere).total == 0
        assert contents.records("words", "3", receipt="IMAGE#image-a#RECEIPT#00002").total == 0


def test_a_letter_that_is_no_ascii_is_found_in_any_case(new_history: NewHistory) -> None:
    history = new_history(1)
    history.create(A, WORDS)
    history.announce(A, WORDS, seed=1, document="CRÈME BRÛLÉE")
    history.merge_all()
    with contents_of(history) as contents:
        assert contents.records("words", None, containing="crème brûlée").total == len(WORDS)


def test_receipts_are_those_of_the_shards_lists_with_their_records(history: History) -> None:
    with contents_of(history) as contents:
        assert [(one.receipt, one.records) for one in contents.receipts("words", "3")] == [(A.key, 5), (B.key, 6)]
        assert [(one.receipt, one.records) for one in contents.receipts("words", "1")] == [(A.key, 6)]
        for shard in history.manifest(history.versions["words"][2]).shards:
            lists = [receipt.key for receipt in load_receipts(Bucket(history.s3, history.bucket), "words", shard)]
            assert lists == [one.receipt for one in contents.receipts("words", "3") if one.shard == shard.shard]


@pytest.mark.parametrize(
    "wrong",
    [{"offset": -1}, {"limit": -1}, {"limit": 1_001}, {"receipt": "image-a"}, {"receipt": ""}],
    ids=str,
)
def test_what_cannot_be_listed_is_refused(history: History, wrong: dict[str, int | str]) -> None:
    with contents_of(history) as contents, pytest.raises(UsageError):
        contents.records("words", "3", **wrong)


def test_a_version_that_is_not_there_or_not_any_more_is_named(new_history: NewHistory, history: History) -> None:
    with contents_of(new_history(1)) as contents, pytest.raises(SnapshotNotFound, match="no snapshot of words yet"):
        contents.records("words", None)
    history.rollback("words", 0)
    again = history.versions["words"][-1].snapshot_id
    history.control.versions("words").mark_expired(again)
    with contents_of(history) as contents:
        for given, error in (("999", VersionNotFound), ("", VersionNotFound), (again, VersionRefused)):
            for ask in (contents.records, contents.receipts, contents.manifest):
                with pytest.raises(error):
                    ask("words", given)


def test_chromadb_is_loaded_by_the_first_search_and_by_nothing_before() -> None:
    code = "from operate.contents import contents, merged; import sys; print({'chromadb', 'boto3'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# Where the files come from


def test_nothing_is_written_to_the_file_system(history: History) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        paths = history.efs.rglob("*")
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in paths}

    before = state()
    for folder in [history.efs, *history.efs.rglob("*")]:
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    try:
        with contents_of(history) as contents:
            contents.records("words", "3", containing="1")
            contents.receipts("words", "3")
            contents.compare("words", "1", "3")
            contents.search("words", "3", text="total")
    finally:
        for folder in [history.efs, *history.efs.rglob("*")]:
            folder.chmod(0o755 if folder.is_dir() else 0o644)
    assert state() == before


def test_only_what_is_asked_for_comes_from_s3_once(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = history.folder / "only"

    def kept() -> set[str]:
        return {path.name for path in cache.rglob("*") if path.is_file()}

    asked: list[int] = []
    bring_files = Stored.bring_files

    def counted(self, root, collection, shards) -> None:
        asked.append(len(shards))
        bring_files(self, root, collection, shards)

    monkeypatch.setattr(Stored, "bring_files", counted)
    with Contents(Stack(history.connection(local=False)), cache=cache) as contents:
        contents.records("words", "3", receipt=A.key)
        assert kept() == {SQLITE_FILE}
        assert len(list(cache.rglob(SQLITE_FILE))) == 1
        contents.records("words", "3")
        contents.receipts("words", "2")
        assert (len(list(cache.rglob(SQLITE_FILE))), len(list(cache.rglob(INDEX_FILE)))) == (2, 2)
        assert kept() == {SQLITE_FILE, INDEX_FILE}
        contents.search("words", "3", vector="[1, 0, 0, 0]")
        assert "data_level0.bin" in kept()
        assert asked == [1, 1, 2, 2]
    with Contents(Stack(history.connection(local=False)), cache=cache) as contents:
        contents.search("words", "3", vector="[0, 1, 0, 0]")
    assert len(asked) == 4
    assert not list(cache.glob("*/*/staging/*"))


@contextmanager
def away(path: Path) -> Iterator[None]:
    """A folder is somewhere else for a moment."""
    elsewhere = path.with_name(f"{path.name}-elsewhere")
    path.rename(elsewhere)
    try:
        yield
    finally:
        shutil.rmtree(path, ignore_errors=True)
        elsewhere.rename(path)


def test_what_the_file_system_lost_comes_from_s3_and_what_both_lost_is_named(history: History) -> None:
    manifest = history.manifest(history.versions["lines"][0])
    (path,) = {str(shard.path) for shard in manifest.shards if shard.path}
    key = f"snapshots/lines/{path}/{SQLITE_FILE}"
    content = history.s3.get_object(Bucket=history.bucket, Key=key)["Body"].read()
    with away(history.efs / "lines" / path):
        with contents_of(history) as contents:
            assert contents.records("lines", "1").total == 3
            assert len(contents.search("lines", "1", text="total").hits) == 3
        shutil.rmtree(history.folder / "cache")
        try:
            for body in (None, content[:-1] + b"x"):
                history.s3.delete_object(Bucket=history.bucket, Key=key)
                if body is not None:
                    history.s3.put_object(Bucket=history.bucket, Key=key, Body=body)
                with contents_of(history) as contents:
                    with pytest.raises(VersionUnreadable, match=SQLITE_FILE):
                        contents.records("lines", "1")
                    with pytest.raises(VersionUnreadable):
                        contents.compare("lines", "1", "3")
                    with pytest.raises(VersionUnreadable):
                        contents.search("lines", "1", text="total")
        finally:
            history.s3.put_object(Bucket=history.bucket, Key=key, Body=content)


@pytest.mark.parametrize(
    ("name", "question"),
    [
        (SQLITE_FILE, "records"),
        (SQLITE_FILE, "compare"),
        (INDEX_FILE, "receipts"),
        (INDEX_FILE, "compare"),
        (ROWS_FILE, "compare"),
        ("data_level0.bin", "compare"),
        ("header.bin", "compare"),
    ],
)
def test_a_damaged_file_of_a_base_is_named(history: History, name: str, question: str) -> None:
    versions = [history.manifest(pointer) for pointer in history.versions["words"][:3]]
    (shard,) = (shard for shard in versions[0].shards if shard.path)
    (file,) = (history.efs / "words" / str(shard.path)).rglob(name)
    good = file.read_bytes()
    file.write_bytes(b"\0" * len(good))
    try:
        with contents_of(history) as contents, pytest.raises(VersionUnreadable, match="words cannot be read"):
            contents.compare("words", "1", "3") if question == "compare" else getattr(contents, question)("words", "1")
    finally:
        file.write_bytes(good)


@pytest.mark.parametrize("question", ["records", "compare", "search"])
def test_a_damaged_segment_is_named(segmented: History, question: str) -> None:
    manifest = segmented.manifest(segmented.versions["words"][2])
    (path,) = {segment.path for shard in manifest.shards for segment in shard.segments[-1:] if A.key in str(segment)}
    file = segmented.efs / "words" / path
    good = file.read_bytes()
    file.write_bytes(good[:-1] + b"x")
    try:
        with contents_of(segmented) as contents:
            ask = {
                "records": lambda: contents.records("words", "3"),
                "compare": lambda: contents.compare("words", "1", "3"),
                "search": lambda: contents.search("words", "3", text="total"),
            }[question]
            with pytest.raises(VersionUnreadable, match="words cannot be read"):
                ask()
    finally:
        file.write_bytes(good)


def test_a_lost_manifest_is_named(new_history: NewHistory) -> None:
    history = new_history(1, three_versions)
    history.s3.delete_object(Bucket=history.bucket, Key=history.versions["words"][0].manifest_key)
    with contents_of(history) as contents, pytest.raises(VersionUnreadable, match="the manifest of version 1"):
        contents.records("words", "1")


def test_the_shards_used_least_lately_leave_the_cache_and_those_in_use_never(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = history.folder / "small"
    monkeypatch.setattr(shard_files_module, "_ABANDONED_SECONDS", 100.0)
    abandoned, fresh = (cache / history.bucket / "words" / "staging" / name for name in ("download-x", "download-y"))
    for folder in (abandoned, fresh):
        folder.mkdir(parents=True)
    os.utime(abandoned, (0, 0))
    files = ShardFiles.of(Stack(history.connection(local=False)), cache, cache_bytes=0)
    old, new = (history.manifest(history.versions["words"][n]).shards for n in (0, 2))
    held, others = (
        [cache / history.bucket / "words" / one.path for one in shards if one.path] for shards in (old, new)
    )
    with files.homes("words", old):
        with files.homes("words", new, {SQLITE_FILE}):
            assert all((folder / SQLITE_FILE).is_file() for folder in (*held, *others))
        with files.homes("lines", history.manifest(history.versions["lines"][0]).shards):
            assert [folder.exists() for folder in held] == [True]
            assert not any(folder.exists() for folder in others if folder not in held)
    with files.homes("lines", history.manifest(history.versions["lines"][2]).shards):
        assert not any(folder.exists() for folder in held)
    assert not abandoned.exists()
    assert fresh.exists()


@pytest.mark.parametrize("which", ["history", "segmented"])
def test_a_shard_that_leaves_the_cache_while_it_is_wanted_is_brought_again(
    request: pytest.FixtureRequest, which: str
) -> None:
    """Threads that each bring and sweep: whoever has a folder has all its files."""
    history = request.getfixturevalue(which)
    files = ShardFiles.of(Stack(history.connection(local=False)), history.folder / "busy", cache_bytes=0)
    manifests = [history.manifest(pointer) for pointer in history.versions["words"][:5]]
    together = threading.Barrier(6)

    def use(number: int) -> None:
        together.wait()
        for turn in range(8):
            manifest = manifests[(number + turn) % len(manifests)]
            with files.homes("words", manifest.shards) as homes:
                for shard in manifest.shards:
                    for path, entry in shard_files(shard):
                        assert (homes[shard.shard] / path).stat().st_size == entry.size

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(use, range(6)))


@pytest.mark.parametrize("local", [True, False], ids=["EFS", "S3"])
@pytest.mark.parametrize(("receipt", "words", "since"), [(A, 5, 1), (B, 6, 6)], ids=["changed", "came back"])
def test_a_receipt_is_where_its_records_are_and_since_the_version_from_which_on_all_have_some(
    segmented: History, receipt: ReceiptId, words: int, since: int, local: bool
) -> None:
    stack = Stack(segmented.connection(local=local))
    with contents_of(segmented, local=local) as contents:
        found = where_is(stack, contents, receipt, COLLECTIONS).collections
    assert [(one.collection, one.records) for one in found] == [("words", words), ("lines", 3)]
    assert all((one.version, one.state, one.since) == (6, "served", since) for one in found)


def test_a_change_is_told_with_its_version_and_with_the_rollback_that_took_it_back(segmented: History) -> None:
    stack = Stack(segmented.connection())
    with contents_of(segmented) as contents:
        changed, back = (where_is(stack, contents, receipt, ["words"]) for receipt in (A, B))
    (words,) = changed.collections
    assert [(one.version, one.exists, one.taken_back) for one in words.changes] == [(3, True, None), (1, True, None)]
    assert [one.counts["added"] for one in words.changes if one.counts] == [0, 6]
    assert words.as_of == 3, "whose segment the rollback has again, not the fold after it"
    assert [(run.state, run.version, run.vectors) for run in words.runs] == [("completed", 3, 5)], "one word is gone"
    assert all(one.came_at and one.seen_at and one.came_at <= one.seen_at for one in words.changes)
    (words,) = back.collections
    assert [(one.version, one.exists, one.taken_back) for one in words.changes] == [(5, False, 6), (2, True, None)]
    assert of_receipt(back).startswith("The receipts table does not have it")
    assert of_collection(words, datetime.now(UTC))[0] == (
        "The current version 6 has 6 records of it, written by version 2. Readers of version 6 or newer see some."
    )

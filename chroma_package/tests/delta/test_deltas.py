import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError, FlexibleChecksumError, ReadTimeoutError
from botocore.stub import Stubber
from receipt_chroma.delta import objects as delta_objects
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.delta.bounds import MAX_DELTA_BYTES
from receipt_chroma.delta.read import read_delta
from receipt_chroma.errors import (
    DeltaCorrupt,
    DeltaMetadataInvalid,
    DeltaMissing,
    DeltaNotGiven,
    DeltaPrefixMissing,
    DeltaRefused,
    DeltaTooLarge,
    DuplicateRecord,
    ForeignRecord,
    InvalidVector,
    UnsafeTarMember,
    WrongCollection,
    WrongDimension,
    WrongSpace,
)
from receipt_chroma.records import Record
from receipt_dynamo_stream.bucket import Bucket
from receipt_dynamo_stream.errors import TransientServiceError
from receipt_dynamo_stream.runs import delta_location

from ..chroma_files import chroma_directory, member, tar_of
from ..samples import DIMENSION, RECEIPT, receipt, row, vector, word
from ..world import World

PREFIX = "words/delta/run/"


def read(
    world: World, prefix: str = PREFIX, *, collection: str = "words", dimension: int | None = DIMENSION
) -> list[Record]:
    location = delta_location(prefix, world.bucket)
    found = read_delta(
        Bucket(world.s3, location.bucket),
        location.prefix,
        collection=collection,
        receipt=RECEIPT,
        dimension=dimension,
    )
    assert not world.work.exists(), "nothing is written"
    return found


def put(world: World, name: str, content: bytes) -> None:
    world.s3.put_object(Bucket=world.bucket, Key=PREFIX + name, Body=content)


def arrow(world: World, *records: Record) -> None:
    put(world, "delta.arrow", encode_arrow(records))


def loose(world: World, folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            put(world, path.relative_to(folder).as_posix(), path.read_bytes())


RECORDS = [word(1, 1, x=0.25, tags=["a", "b"]), word(1, 2, document=None)]


def same(found: list[Record], expected: list[Record]) -> bool:
    shown = [
        sorted((one.id, one.embedding.tobytes(), one.document, sorted(one.metadata.items())) for one in some)
        for some in (found, expected)
    ]
    return shown[0] == shown[1]


@pytest.mark.parametrize("form", ["arrow", "tar", "nested tar", "flushed tar", "loose"])
def test_every_format_is_read_with_the_same_bits(world: World, tmp_path: Path, form: str) -> None:
    if form == "arrow":
        arrow(world, *RECORDS)
    else:
        flushed = {"sync_threshold": 2} if form == "flushed tar" else {}
        folder = chroma_directory(tmp_path / "delta", RECORDS, **flushed)
        if form == "loose":
            loose(world, folder)
        else:
            put(world, "delta.tar.gz", tar_of(folder, below="inner/folder" if form == "nested tar" else "."))
    assert same(read(world), RECORDS)


def test_arrow_is_taken_before_tar(world: World, tmp_path: Path) -> None:
    arrow(world, RECORDS[0])
    put(world, "delta.tar.gz", b"never read")
    assert same(read(world), RECORDS[:1])


@pytest.mark.parametrize("prefix", [PREFIX.rstrip("/"), f"s3://BUCKET/{PREFIX}", f"s3://BUCKET/{PREFIX}delta.arrow"])
def test_a_prefix_may_lack_its_slash_or_be_a_uri_or_name_the_object(world: World, prefix: str) -> None:
    arrow(world, *RECORDS)
    assert same(read(world, prefix.replace("BUCKET", world.bucket)), RECORDS)


def test_a_prefix_may_name_the_tar(world: World, tmp_path: Path) -> None:
    put(world, "delta.tar.gz", tar_of(chroma_directory(tmp_path / "delta", RECORDS)))
    assert same(read(world, PREFIX + "delta.tar.gz"), RECORDS)


@pytest.mark.parametrize("form", ["arrow", "tar"])
def test_an_empty_delta_is_fine(world: World, tmp_path: Path, form: str) -> None:
    if form == "arrow":
        arrow(world)
    else:
        put(world, "delta.tar.gz", tar_of(chroma_directory(tmp_path / "delta", [])))
    assert read(world) == []


def test_without_a_dimension_the_first_vector_decides(world: World) -> None:
    arrow(world, word(1, 1, dimension=3), word(1, 2, dimension=3))
    assert [len(record.embedding) for record in read(world, dimension=None)] == [3, 3]


def test_what_belongs_to_the_facts_is_left_out_unseen(world: World) -> None:
    arrow(world, word(1, 1, valid_labels_array=[], label_status=float("nan"), merchant_name={}))
    assert read(world)[0].metadata == {"text": "MILK"}


def test_the_members_of_a_row_are_kept_for_the_merge(world: World) -> None:
    arrow(world, row(1, members="[1,2]", section_label="own"), row(2, members=""))
    assert [record.metadata for record in read(world, collection="lines")] == [
        {"text": "MILK", "row_line_ids": "[1,2]"},
        {"text": "MILK"},
    ]


@pytest.mark.parametrize("prefix", ["", "/", "s3://", "s3://bucket", "s3://bucket/"])
def test_an_empty_prefix_is_named(world: World, prefix: str) -> None:
    with pytest.raises(DeltaPrefixMissing):
        read(world, prefix)


@pytest.mark.parametrize(
    "prefix",
    [
        "words/delta/other/",
        "words/delta/other/delta.arrow",
        "words/delta/other/delta.tar.gz",
        "s3://no-such-bucket/delta/",
        "s3://No_Bucket Name!/delta/",
        "k" * 1100,
    ],
)
def test_a_delta_that_is_not_there_is_missing(world: World, prefix: str) -> None:
    with pytest.raises(DeltaMissing):
        read(world, prefix)


def test_other_objects_under_the_prefix_are_no_delta(world: World) -> None:
    put(world, "notes.txt", b"hello")
    with pytest.raises(DeltaMissing):
        read(world)


BAD_RECORDS: dict[str, tuple[type[DeltaRefused], list[Record]]] = {
    "zero vector": (InvalidVector, [replace(word(1, 1), embedding=np.zeros(DIMENSION, np.float32))]),
    "NaN": (InvalidVector, [replace(word(1, 1), embedding=np.full(DIMENSION, np.nan, np.float32))]),
    "infinity": (InvalidVector, [replace(word(1, 1), embedding=np.full(DIMENSION, np.inf, np.float32))]),
    "other dimension": (WrongDimension, [word(1, 1, dimension=DIMENSION + 1)]),
    "no id of ours": (ForeignRecord, [replace(word(1, 1), id="milk")]),
    "other receipt": (ForeignRecord, [word(1, 1, of=receipt(2))]),
    "other collection": (ForeignRecord, [row(1)]),
    "twice": (DuplicateRecord, [word(1, 1), word(1, 1, 9)]),
    "bad metadata": (DeltaMetadataInvalid, [word(1, 1, x=[])]),
}


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_one_bad_record_refuses_the_whole_delta_by_name(world: World, name: str) -> None:
    error, bad = BAD_RECORDS[name]
    dimension = len(bad[0].embedding)
    arrow(world, *[word(5, number, dimension=dimension) for number in range(1, 4)], *bad)
    with pytest.raises(error):
        read(world)


def test_malformed_members_of_a_row_refuse_the_delta(world: World) -> None:
    arrow(world, row(1, members="[1"))
    with pytest.raises(DeltaMetadataInvalid):
        read(world, collection="lines")


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/../../outside", "a\\b"])
def test_a_tar_member_that_would_leave_the_folder_is_refused(world: World, tmp_path: Path, name: str) -> None:
    folder = chroma_directory(tmp_path / "delta", RECORDS)
    put(world, "delta.tar.gz", tar_of(folder, extra=[(member(name), b"x")]))
    with pytest.raises(UnsafeTarMember):
        read(world)
    assert not (world.work / "outside").exists()
    assert not (world.work.parent / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(world: World, tmp_path: Path, kind: bytes) -> None:
    folder = chroma_directory(tmp_path / "delta", RECORDS)
    put(world, "delta.tar.gz", tar_of(folder, extra=[(member("extra", kind, "chroma.sqlite3"), b"")]))
    with pytest.raises(UnsafeTarMember):
        read(world)


def test_a_member_that_comes_twice_is_refused(world: World, tmp_path: Path) -> None:
    folder = chroma_directory(tmp_path / "delta", RECORDS)
    put(world, "delta.tar.gz", tar_of(folder, extra=[(member("./chroma.sqlite3"), b"x")]))
    with pytest.raises(UnsafeTarMember):
        read(world)


@pytest.mark.parametrize("name", ["chroma.sqlite3/inside", "."])
def test_a_member_that_is_a_file_and_a_folder_is_refused(world: World, tmp_path: Path, name: str) -> None:
    folder = chroma_directory(tmp_path / "delta", RECORDS)
    put(world, "delta.tar.gz", tar_of(folder, extra=[(member(name), b"x")]))
    with pytest.raises(UnsafeTarMember):
        read(world)


def test_a_tar_that_unpacks_to_too_much_is_refused(world: World, tmp_path: Path) -> None:
    folder = chroma_directory(tmp_path / "delta", RECORDS)
    put(world, "delta.tar.gz", tar_of(folder, extra=[(member("zeros"), bytes(MAX_DELTA_BYTES))]))
    with pytest.raises(DeltaTooLarge):
        read(world)


def test_a_file_that_is_too_large_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    arrow(world, *RECORDS)
    monkeypatch.setattr(delta_objects, "MAX_DELTA_BYTES", 1000)
    with pytest.raises(DeltaTooLarge):
        read(world)


@pytest.mark.parametrize("form", ["loose", "tar"])
def test_a_directory_that_is_too_large_as_a_whole_is_refused_however_it_lies(
    world: World, tmp_path: Path, form: str
) -> None:
    folder = chroma_directory(tmp_path / "delta", RECORDS)
    for name in ("zeros", "more-zeros"):
        (folder / name).write_bytes(bytes(MAX_DELTA_BYTES // 2))
    if form == "tar":
        put(world, "delta.tar.gz", tar_of(folder))
    else:
        loose(world, folder)
    with pytest.raises(DeltaTooLarge):
        read(world)


def damaged(name: str) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        (path,) = folder.rglob(name)
        path.write_bytes(path.read_bytes()[:5])

    return cut


@pytest.mark.parametrize(
    "name", ["chroma.sqlite3", "header.bin", "data_level0.bin", "link_lists.bin", "index_metadata.pickle"]
)
def test_a_damaged_chroma_directory_is_corrupt(world: World, tmp_path: Path, name: str) -> None:
    folder = chroma_directory(tmp_path / "delta", RECORDS, sync_threshold=2)
    damaged(name)(folder)
    put(world, "delta.tar.gz", tar_of(folder))
    with pytest.raises(DeltaCorrupt):
        read(world)


@pytest.mark.parametrize("content", [b"", b"no tar", b"\x1f\x8b rest"])
def test_other_bytes_are_no_tar(world: World, content: bytes) -> None:
    put(world, "delta.tar.gz", content)
    with pytest.raises(DeltaCorrupt):
        read(world)


def test_a_truncated_tar_is_corrupt(world: World, tmp_path: Path) -> None:
    content = tar_of(chroma_directory(tmp_path / "delta", RECORDS))
    for length in range(20, len(content), len(content) // 8):
        put(world, "delta.tar.gz", content[:length])
        with pytest.raises(DeltaCorrupt):
            read(world)


def test_a_tar_without_a_database_or_with_two_is_corrupt(world: World, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    put(world, "delta.tar.gz", tar_of(tmp_path / "empty"))
    with pytest.raises(DeltaCorrupt, match="0 files"):
        read(world)
    folder = chroma_directory(tmp_path / "delta", RECORDS)
    put(world, "delta.tar.gz", tar_of(folder, extra=[(member("second/chroma.sqlite3"), b"")]))
    with pytest.raises(DeltaCorrupt, match="2 files"):
        read(world)


def test_another_collection_name_is_refused(world: World, tmp_path: Path) -> None:
    put(world, "delta.tar.gz", tar_of(chroma_directory(tmp_path / "delta", RECORDS, name="lines")))
    with pytest.raises(WrongCollection, match="lines"):
        read(world)


@pytest.mark.parametrize("space", ["cosine", "ip"])
def test_another_space_is_refused(world: World, tmp_path: Path, space: str) -> None:
    put(world, "delta.tar.gz", tar_of(chroma_directory(tmp_path / "delta", RECORDS, space=space)))
    with pytest.raises(WrongSpace, match=space):
        read(world)


def answer(world: World, code: str, status: int) -> Stubber:
    stubber = Stubber(world.s3)
    stubber.add_client_error("get_object", code, http_status_code=status)
    return stubber


def test_denied_access_is_no_fault_of_the_delta(world: World) -> None:
    with answer(world, "AccessDenied", 403), pytest.raises(ClientError, match="AccessDenied"):
        read(world)


@pytest.mark.parametrize("code", ["KMS.DisabledException", "KMS.KMSInvalidStateException", "KMS.NotFoundException"])
def test_a_key_that_cannot_be_used_is_no_fault_of_the_delta(world: World, code: str) -> None:
    with answer(world, code, 400), pytest.raises(ClientError, match=code):
        read(world)


@pytest.mark.parametrize(
    ("code", "status", "refusal"),
    [
        ("InvalidObjectState", 403, DeltaNotGiven),
        ("ObjectNotInActiveTierError", 403, DeltaNotGiven),
        ("InvalidRequest", 400, DeltaNotGiven),
    ],
)
def test_what_s3_never_gives_is_refused_by_name(
    world: World, code: str, status: int, refusal: type[DeltaRefused]
) -> None:
    with answer(world, code, status), pytest.raises(refusal, match="write it anew"):
        read(world)


@pytest.mark.parametrize(("code", "status"), [("NoSuchVersion", 404), ("MethodNotAllowed", 405), ("NoSuchBucket", 404)])
def test_a_version_or_bucket_that_is_not_there_is_a_delta_that_is_not_there(
    world: World, code: str, status: int
) -> None:
    with answer(world, code, status), pytest.raises(DeltaMissing):
        read(world, PREFIX + "delta.arrow")


def test_a_body_that_differs_from_its_checksum_is_to_be_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(**_: Any) -> None:
        raise FlexibleChecksumError(error_msg="crc32 differs")

    monkeypatch.setattr(world.s3, "get_object", damaged)
    with pytest.raises(TransientServiceError, match="crc32"):
        read(world)


@pytest.mark.parametrize(
    ("code", "status"),
    [("SlowDown", 503), ("InternalError", 500), ("TooManyRequests", 429), ("KMS.ThrottlingException", 400)],
)
def test_throttling_and_server_errors_are_to_be_tried_again(world: World, code: str, status: int) -> None:
    with answer(world, code, status), pytest.raises(TransientServiceError):
        read(world)


def test_a_timeout_is_to_be_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="s3")

    monkeypatch.setattr(world.s3, "get_object", slow)
    with pytest.raises(TransientServiceError):
        read(world)


def test_vectors_are_copies_that_keep_no_archive_in_memory(world: World) -> None:
    arrow(world, *RECORDS)
    assert all(record.embedding.base is None for record in read(world))
    assert read(world)[0].embedding.tobytes() == vector(101).tobytes()

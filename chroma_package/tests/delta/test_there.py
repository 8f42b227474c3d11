"""Whether a delta is there is told as read_delta would find it, without fetching it."""

from pathlib import Path

import pytest
from receipt_chroma.delta.arrow import encode_arrow
from receipt_chroma.delta.read import read_delta
from receipt_chroma.delta.there import delta_is_there
from receipt_chroma.errors import DeltaMissing, DeltaNotGiven, DeltaPrefixMissing
from receipt_dynamo_stream.bucket import Bucket

from ..chroma_files import chroma_directory, files_of, tar_of
from ..samples import RECEIPT, word
from ..world import World

PREFIXES = {
    "arrow/": True,
    "arrow": True,
    "arrow/delta.arrow": True,
    "tar/": True,
    "tar/delta.tar.gz": True,
    "loose/": True,
    "archived/": False,
    "other files/": False,
    "nothing/": False,
    "nothing/delta.arrow": False,
    "": False,
    "x" * 1_100: False,
}


@pytest.fixture
def filled(world: World, tmp_path: Path) -> World:
    folder = chroma_directory(tmp_path / "made", [word(1, 1)])
    arrow = encode_arrow([word(1, 1)])
    objects = {"arrow/delta.arrow": arrow, "tar/delta.tar.gz": tar_of(folder), "other files/readme.txt": b"x"}
    objects |= {f"loose/{name}": content for name, content in files_of(folder).items()}
    for key, content in objects.items():
        world.s3.put_object(Bucket=world.bucket, Key=key, Body=content)
    world.s3.put_object(Bucket=world.bucket, Key="archived/delta.arrow", Body=arrow, StorageClass="GLACIER")
    return world


@pytest.mark.parametrize("prefix", PREFIXES)
def test_it_is_there_where_read_delta_reads_it(filled: World, prefix: str) -> None:
    assert delta_is_there(filled.store, prefix) == PREFIXES[prefix]
    try:
        found = bool(read_delta(filled.store, prefix, collection="words", receipt=RECEIPT, dimension=None))
    except (DeltaMissing, DeltaNotGiven, DeltaPrefixMissing):
        found = False
    assert found == PREFIXES[prefix]


def test_nothing_is_in_a_bucket_that_is_not_there(filled: World) -> None:
    assert not delta_is_there(Bucket(filled.s3, "no-such-bucket"), "arrow/")
    assert not delta_is_there(Bucket(filled.s3, ""), "arrow/")

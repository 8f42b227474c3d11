"""A delta.tar.gz of a stranger: refused by name, or read as it was written, at the cost of its bounds."""

import gzip
import resource
import tarfile
from collections.abc import Callable

import pytest
from receipt_chroma.delta.bounds import MAX_DELTA_BYTES
from receipt_chroma.errors import DeltaCorrupt, DeltaRefused, DeltaTooLarge, UnsafeTarMember

from .strangers import GOOD, Files, good_directory, raw_tar, read, shown, tar, tar_header

Member = tuple[str, bytes, dict[str, str]]


def test_a_tar_with_pax_headers_is_read() -> None:
    files = {f"{'d' * 120}/{name}": content for name, content in good_directory().items()}
    archive = tar(files, ("note", b"x", {"comment": "é" * 300, "mtime": "1.5"}))
    assert shown(read("tar", archive)) == shown(GOOD)


ODD: dict[str, Member] = {
    "a file name of 300 bytes": ("n" * 300, b"x", {}),
    "50 folders deep": ("/".join(["d"] * 50) + "/f", b"x", {}),
}
REFUSED: dict[str, tuple[type[DeltaRefused], Member]] = {
    "a path of 5,000 bytes": (UnsafeTarMember, ("/".join(["d" * 200] * 25) + "/f", b"x", {})),
    "1,500 folders deep": (UnsafeTarMember, ("/".join(["d"] * 1500) + "/f", b"x", {})),
    "a sparse map that is no numbers": (UnsafeTarMember, ("s", b"x", {"GNU.sparse.map": "a,b"})),
    "a sparse size that is no number": (UnsafeTarMember, ("s", b"x", {"GNU.sparse.size": "x"})),
    "sparse 1.0 without its map": (
        UnsafeTarMember,
        ("s", b"abc\n" + bytes(508), {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
    ),
    "a pax name that leaves the folder": (UnsafeTarMember, ("s", b"x", {"path": "../s"})),
    "a pax header of 100 KB": (DeltaTooLarge, ("s", b"x", {"comment": "c" * 100_000})),
}


@pytest.mark.parametrize("name", ODD)
def test_a_name_that_no_file_system_takes_is_a_name(name: str) -> None:
    assert shown(read("tar", tar(good_directory(), ODD[name]))) == shown(GOOD)


@pytest.mark.parametrize("name", REFUSED)
def test_a_member_that_is_no_plain_small_file_is_refused(name: str) -> None:
    error, member = REFUSED[name]
    with pytest.raises(error):
        read("tar", tar(good_directory(), member))


def test_every_flipped_bit_is_found_by_the_checksum() -> None:
    content = bytearray(tar(good_directory(), level=0)["delta.tar.gz"])
    for at in range(64, len(content), len(content) // 25):
        damaged = bytearray(content)
        damaged[at] ^= 0x40
        with pytest.raises(DeltaCorrupt):
            read("tar", {"delta.tar.gz": bytes(damaged)})


@pytest.mark.parametrize("cut", [1, 4, 8])
def test_a_tar_cut_off_after_its_end_marker_is_corrupt(cut: int) -> None:
    content = tar(good_directory())["delta.tar.gz"]
    with pytest.raises(DeltaCorrupt):
        read("tar", {"delta.tar.gz": content[:-cut]})


def test_what_follows_the_end_is_corrupt() -> None:
    content = tar(good_directory())["delta.tar.gz"]
    for more in (b"garbage", gzip.compress(b"more")):
        with pytest.raises(DeltaCorrupt):
            read("tar", {"delta.tar.gz": content + more})


BOMBS: dict[str, Callable[[], Files]] = {
    "a pax header of 4 GB": lambda: raw_tar(tar_header("x", tarfile.XHDTYPE, 4 << 30), bytes(1 << 20)),
    "a GNU long name of 4 GB": lambda: raw_tar(tar_header("x", tarfile.GNUTYPE_LONGNAME, 4 << 30), bytes(1 << 20)),
    "a pax header of 40 MB zeros": lambda: raw_tar(tar_header("x", tarfile.XHDTYPE, 40 << 20), bytes(41 << 20)),
    "a GNU long name of 40 MB zeros": lambda: raw_tar(
        tar_header("x", tarfile.GNUTYPE_LONGNAME, 40 << 20), bytes(41 << 20)
    ),
    "1,500 pax headers": lambda: raw_tar(tar_header("x", tarfile.XHDTYPE, 0) * 1500, bytes(1024)),
    "1,500 long names": lambda: raw_tar(tar_header("x", tarfile.GNUTYPE_LONGNAME, 0) * 1500, bytes(1024)),
    "2,000 folders": lambda: raw_tar(
        *(tar_header(f"d{number}", tarfile.DIRTYPE, 0) for number in range(2000)), bytes(1024)
    ),
    "a gzip of more than the bound": lambda: raw_tar(bytes(MAX_DELTA_BYTES + 1)),
    "a size below nothing": lambda: raw_tar(tar_header("x", tarfile.REGTYPE, -512), bytes(1024)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_would_take_memory_or_time_without_end_is_refused_within_the_bounds(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((DeltaTooLarge, DeltaCorrupt)):
        read("tar", BOMBS[name]())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10, "KB, in the process of the caller"

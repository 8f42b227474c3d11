"""`delta.tar.gz` and names of files: unpacked in memory, so that no name of a stranger is ever one of a file system."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from receipt_chroma.delta.bounds import MAX_DELTA_BYTES, MAX_FILES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_NAME_BYTES
from receipt_chroma.errors import DeltaCorrupt, DeltaTooLarge, UnsafeTarMember

Files = dict[str, bytes]
"""The content of files, by relative path."""

_BLOCK: Final = tarfile.BLOCKSIZE
_PLAIN: Final = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_EXTENDED: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_LONG: Final = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    is_folder: bool
    content: bytes


def unpack(content: bytes) -> Files:
    """The files of a tar.gz, read to the end of its checksum.

    Raises UnsafeTarMember for an absolute path, "..", a link, a device, a sparse file, a repeated name; DeltaTooLarge
    beyond the bounds, before anything of that size is made; DeltaCorrupt when it is no tar.gz, fails its checksum, or
    ends early.
    """
    return gather(_plain_files(content), "delta.tar.gz")


def gather(files: Iterable[tuple[str, bytes]], place: str) -> Files:
    """A delta's files by their plain names, wherever they come from: one law for a tar, objects and a folder.

    Raises UnsafeTarMember for a name that would leave the folder, is there twice, or is a folder's as well;
    DeltaTooLarge beyond the bounds, before it takes another file.
    """
    gathered: Files = {}
    size = 0
    for name, content in files:
        plain = safe_name(name)
        if plain in gathered:
            raise UnsafeTarMember(f"{place}: {plain[:200]!r} is there twice")
        gathered[plain] = content
        size += len(content)
        if len(gathered) > MAX_FILES or size > MAX_DELTA_BYTES:
            raise DeltaTooLarge(f"{place} has more than {MAX_FILES} files, or {MAX_DELTA_BYTES} bytes")
    check_names(gathered)
    return gathered


def safe_name(name: str) -> str:
    """A relative path in its plain form. Raises UnsafeTarMember for any other."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise UnsafeTarMember(f"{name[:200]!r} would leave the delta's folder")
    if len(name.encode(errors="surrogateescape")) > MAX_NAME_BYTES:
        raise UnsafeTarMember(f"{name[:100]!r}… is a name of more than {MAX_NAME_BYTES} bytes")
    return str(path)


def check_names(names: Iterable[str]) -> None:
    """Raise UnsafeTarMember when a name is also that of a folder of another one."""
    files = set(names)
    for name in files:
        for folder in PurePosixPath(name).parents:
            if str(folder) in files:
                raise UnsafeTarMember(f"{str(folder)[:200]!r} is a file and a folder")


def _plain_files(content: bytes) -> Iterator[tuple[str, bytes]]:
    for count, member in enumerate(_members(_gunzip(content)), start=1):
        if count > MAX_FILES:
            raise DeltaTooLarge(f"delta.tar.gz has more than {MAX_FILES} members")
        if member.is_folder:
            safe_name(member.name)
        else:
            yield member.name, member.content


def _gunzip(content: bytes) -> memoryview:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as reader:
            unpacked = reader.read(MAX_DELTA_BYTES + 1)  # a shorter answer has seen the trailer, and its CRC is right
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DeltaCorrupt(f"delta.tar.gz is not a whole gzip file: {error}") from error
    if len(unpacked) > MAX_DELTA_BYTES:
        raise DeltaTooLarge(f"delta.tar.gz unpacks to more than {MAX_DELTA_BYTES} bytes")
    return memoryview(unpacked)


def _members(content: memoryview) -> Iterator[_Member]:
    """Its members. tarfile itself would read an extended header whatever its size, and recurse into the next one."""
    place, extended, name = 0, 0, ""
    while True:
        header = bytes(content[place : place + _BLOCK])
        place += _BLOCK
        if len(header) == _BLOCK and not any(header) and not extended:
            break
        info = _parse(header)
        begins, place = place, place + -(-info.size // _BLOCK) * _BLOCK
        if info.size < 0 or place > len(content):
            raise DeltaCorrupt("delta.tar.gz ends within a member")
        if info.type in (*_EXTENDED, *_LONG):
            extended += 1
            if info.size > MAX_HEADER_BYTES or extended > MAX_HEADERS:
                raise DeltaTooLarge(
                    f"delta.tar.gz has an extended header of {info.size} bytes, or more than {MAX_HEADERS} in a row"
                )
            name = _extended_name(info, bytes(content[begins : begins + info.size])) or name
            continue
        name = name or info.name
        if not info.isdir() and info.type not in _PLAIN:
            raise UnsafeTarMember(f"delta.tar.gz: {name[:200]!r} is no plain file")
        if info.isdir() and info.size:
            raise DeltaCorrupt(f"delta.tar.gz: the folder {name[:200]!r} has content")
        yield _Member(name, info.isdir(), bytes(content[begins : begins + info.size]))
        extended, name = 0, ""
    if any(content[place:]):
        raise DeltaCorrupt("delta.tar.gz goes on after its end")


def _parse(header: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise DeltaCorrupt(f"delta.tar.gz is not a readable tar: {error}") from error


def _extended_name(info: tarfile.TarInfo, content: bytes) -> str:
    """The name that an extended header gives to the next member, "" for none."""
    if info.type in _LONG:
        return "" if info.type == tarfile.GNUTYPE_LONGLINK else content.rstrip(b"\0").decode("utf-8", "surrogateescape")
    name = ""
    for key, value in _pax_records(content):
        if key.startswith("GNU.sparse") or key == "size":
            raise UnsafeTarMember(f"delta.tar.gz: the pax header {key[:100]!r} is not for plain small files")
        if key == "path" and info.type != tarfile.XGLTYPE:
            name = value
    return name


def _pax_records(content: bytes) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(content) and content[place]:  # tarfile ends at a zero as well
        digits, space, _ = content[place : place + 6].partition(b" ")
        if not space or not digits.isdigit() or not len(digits) + 3 <= int(digits) <= len(content) - place:
            raise DeltaCorrupt("delta.tar.gz has a pax header that cannot be read")
        record = content[place + len(digits) + 1 : place + int(digits)]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise DeltaCorrupt("delta.tar.gz has a pax header that cannot be read")
        yield key.decode("utf-8", "surrogateescape"), value[:-1].decode("utf-8", "surrogateescape")
        place += int(digits)

"""`delta.tar.gz`: unpacked into a private folder, and nowhere else."""

import gzip
import io
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from receipt_chroma.errors import DeltaCorrupt, DeltaTooLarge, UnsafeTarMember

MAX_MEMBERS = 1_000


def unpack(archive: Path, target: Path, *, max_bytes: int) -> None:
    """Unpack a tar.gz into an empty folder.

    Raises UnsafeTarMember for an absolute path, "..", a link, a device or a repeated name, before anything of that
    member is written; DeltaTooLarge beyond `max_bytes` of unpacked content or MAX_MEMBERS; DeltaCorrupt when it is no
    tar.gz or ends early.
    """
    target.mkdir(parents=True)
    try:
        with tarfile.open(archive, mode="r:gz") as tar:
            _unpack_members(tar, target, max_bytes)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DeltaCorrupt(f"delta.tar.gz is not a readable tar.gz: {error}") from error


def _unpack_members(tar: tarfile.TarFile, target: Path, max_bytes: int) -> None:
    total, seen = 0, set[str]()
    for count, member in enumerate(tar, start=1):
        name = safe_name(member.name)
        if count > MAX_MEMBERS:
            raise DeltaTooLarge(f"delta.tar.gz has more than {MAX_MEMBERS} members")
        if member.isdir():
            continue
        if not member.isfile() or member.issparse():
            raise UnsafeTarMember(f"delta.tar.gz: {member.name!r} is no plain file")
        if name in seen:
            raise UnsafeTarMember(f"delta.tar.gz: {member.name!r} is there twice")
        seen.add(name)
        total += member.size
        if total > max_bytes:
            raise DeltaTooLarge(f"delta.tar.gz unpacks to more than {max_bytes} bytes")
        _write(tar, member, target / name)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    # Not TarFile.extract: its filters came with Python 3.11.4, and a plain file needs none of what it can do.
    content = tar.extractfile(member)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            shutil.copyfileobj(content or io.BytesIO(), target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise UnsafeTarMember(f"delta.tar.gz: {member.name!r} is a file and a folder") from error


def safe_name(name: str) -> str:
    """A relative path as it may be written below a folder. Raises UnsafeTarMember for any other."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise UnsafeTarMember(f"{name!r} would leave the delta's folder")
    return str(path)

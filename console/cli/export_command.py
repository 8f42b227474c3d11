"""The command that makes a plain Chroma directory of a version, from a stack, a file system or a bucket."""

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from console.cli.commands import print_json, stack_of, waiting
from console.cli.progress import Progress, stderr_console, stdout_console
from operate.connection import bucket_alone
from operate.errors import UsageError
from operate.wording import count_of, size

if TYPE_CHECKING:
    from operate.contents.exporting import Source


def export(arguments: Namespace) -> int:
    """Raises UsageError for a directory that holds something; VersionUnreadable, and what finds a version."""
    from operate.contents.exporting import check_directory, export_version

    target = Path(arguments.directory)
    check_directory(target)
    source = _source(arguments)
    with waiting("looking for the version"):
        manifest = source.manifest(arguments.collection, arguments.version)
    what = f"exporting version {manifest.version} of {manifest.collection}"
    with Progress(stderr_console()).counting(what, manifest.records, "record") as progress:
        done = export_version(source, manifest, target, progress=progress)
    if arguments.json:
        print_json({"collection": manifest.collection, **asdict(done), "directory": str(target.absolute())})
        return 0
    stdout = stdout_console()
    records = count_of(done.records, "record")
    stdout.print(Text(f"Version {done.version} of {manifest.collection}: {records}, {size(done.bytes)}, in {target}."))
    stdout.print(Text(f"chromadb.PersistentClient({str(target)!r}) opens it as it is."))
    return 0


def _source(arguments: Namespace) -> "Source":
    from operate.contents.exporting import BucketSource, FolderSource, StackSource

    if arguments.stack and (arguments.efs or arguments.bucket):
        raise UsageError("export is from a stack, or from --efs or --bucket without one: leave out --stack")
    if arguments.efs:
        if arguments.region:
            raise UsageError("--efs is on this machine: leave out --region")
        if not Path(arguments.efs).is_dir():
            raise UsageError(f"{arguments.efs} is no folder")
        return FolderSource(Path(arguments.efs))
    if arguments.bucket:
        return BucketSource(bucket_alone(arguments.bucket, arguments.region))
    return StackSource(stack_of(arguments))

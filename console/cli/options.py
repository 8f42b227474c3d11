"""The options of each command: positional arguments, flags, defaults, and a line of help for each."""

import argparse
from collections.abc import Iterator

from receipt_dynamo_stream.grain import COLLECTIONS, is_collection

from operate.models import RESULTS, UNHEALED

_VERSION = "a version number or a snapshot id, from `compaction versions`"


class _Names:
    """Offers the collections, and takes a generation of one too, as words-2: whether there is one the stack says."""

    def __iter__(self) -> Iterator[str]:
        return iter(COLLECTIONS)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and is_collection(name)


NAMES = _Names()


def positive(text: str) -> int:
    """A whole number of at least 1; argparse says what it refuses."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def port(text: str) -> int:
    """A TCP port, 0 for any free one."""
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a whole number up to 65535")
    return int(text)


def demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--receipts", type=positive, default=40, metavar="N", help="sample receipts (default: 40)")
    parser.add_argument("--shards", type=positive, default=1, metavar="K", help="shards per collection (default: 1)")
    parser.add_argument("--seed", type=int, default=7, metavar="S", help="another seed, other receipts (default: 7)")


def up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shards", type=positive, default=1, metavar="K", help="shards per collection (default: 1)")
    parser.add_argument("--sample", type=positive, metavar="N", help="begin with N sample receipts")
    parser.add_argument(
        "--keep", action="store_true", help="go on with what the last `up --keep` here had, and save it at the end"
    )
    _embedder(parser)
    parser.add_argument("--port", type=port, metavar="PORT", help="of the console (default: 8765, or a free one)")
    parser.add_argument("--no-console", action="store_true", help="do not serve the console")


def console(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=port, metavar="PORT", help="where to serve (default: 8765, or a free one)")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="another address than loopback; visitors need a token"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name that browsers may call it by, such as a proxy's; may be repeated",
    )
    parser.add_argument("--read-only", action="store_true", help="nothing can be started, stopped or changed")
    _embedder(parser)


def sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("receipts", nargs="?", type=positive, default=20, metavar="N", help="how many (default: 20)")
    parser.add_argument("--seed", type=int, metavar="S", help="the same receipts for the same seed (default: others)")


def load(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="CSV or JSON lines of receipt, line, word, text and, if any, vector"
    )
    _embedder(parser)


def _embedder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--embedder",
        metavar="MODULE:FUNCTION",
        help="what makes vectors of a list of texts (default on a local stack: that of the samples)",
    )


def none(parser: argparse.ArgumentParser) -> None:
    """Only what every command takes."""


def status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", nargs="?", choices=NAMES, metavar="COLLECTION", help="default: all")


def completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), metavar="SHELL", help="bash, zsh or tcsh")


def history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", nargs="?", choices=NAMES, metavar="COLLECTION", help=" or ".join(COLLECTIONS))
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="how many to show (default: 20)")
    parser.add_argument("--all", action="store_true", help="also those that had nothing pending or coalesced")
    results = (UNHEALED, *RESULTS)
    parser.add_argument("--status", choices=results, metavar="RESULT", help=f"only these: {', '.join(results)}")


def start(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument(
        "--mode",
        choices=("compact", "plan"),
        default="compact",
        help="compact merges what is pending (default); plan waits and shows what it would merge, changing nothing",
    )
    parser.add_argument("--wait", action="store_true", help="wait for its end; exit code 1 when it fails")


def rerun(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("execution", metavar="EXECUTION", help="name, beginning of a name, or ARN, from the history")
    parser.add_argument("--wait", action="store_true", help="wait for its end; exit code 1 when it fails")


def reconcile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", nargs="?", choices=NAMES, metavar="COLLECTION", help="default: all")
    parser.add_argument("--image", metavar="ID", help="only the receipts of this image")


def doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", nargs="?", choices=NAMES, metavar="COLLECTION", help="default: all")
    _without_a_stack(parser)


def where(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "receipt", metavar="IMAGE/RECEIPT", help="the whole id of its image, and its number; or its key"
    )
    parser.add_argument("collection", nargs="?", choices=NAMES, metavar="COLLECTION", help="default: all")


def remains(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "receipt", metavar="IMAGE/RECEIPT", help="the whole id of its image, and its number; or its key"
    )
    parser.add_argument(
        "--delta",
        action="append",
        default=[],
        metavar="PATH",
        help="a copy of a delta of it, whose vectors are looked for too; may be given several times",
    )
    parser.add_argument("--efs", metavar="FOLDER", help="where the file system is mounted, if the stack does not say")


def erase(parser: argparse.ArgumentParser) -> None:
    remains(parser)
    parser.add_argument(
        "--copies",
        default=".compaction/erase",
        metavar="FOLDER",
        help="where its deltas are kept until nothing is left (.compaction/erase)",
    )
    parser.add_argument("--wait", action="store_true", help="until the older versions are gone, two hours as deployed")
    _yes(parser)


def adopt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", choices=COLLECTIONS, metavar="COLLECTION", help=" or ".join(COLLECTIONS))
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--from", dest="source", metavar="PLACE", help="a Chroma directory, or s3://bucket/prefix of one")
    what.add_argument("--undo", action="store_true", help="take the runs out of the table again that it wrote")
    parser.add_argument("--yes", action="store_true", help="do it; without it only say what would be done")
    _without_a_stack(parser)


def announce(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument(
        "place", metavar="PLACE", help="a delta with the records of many receipts: an .arrow file or a Chroma directory"
    )
    parser.add_argument(
        "--model", metavar="NAME", help="the embedding model of its vectors (default: that of a generation, as words-2)"
    )
    _without_a_stack(parser)


def _without_a_stack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--table", metavar="NAME", help="a receipts table, before there is a stack; with --bucket")
    parser.add_argument("--bucket", metavar="NAME", help="the bucket that its runs' prefixes are in")


def query(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument("text", nargs="?", metavar="TEXT", help="what to look for; needs an embedder")
    parser.add_argument("--vector", metavar="FILE", help="a JSON array of floats to look for instead of a text")
    parser.add_argument("-n", type=positive, default=5, metavar="N", help="how many records to show (default: 5)")
    parser.add_argument("--version", metavar="VERSION", help=f"{_VERSION} (default: the current one)")
    parser.add_argument("--where", metavar="JSON", help="only records that match this Chroma filter of metadata")
    _embedder(parser)


def delta(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "delta", metavar="DELTA", help="a file or folder, s3://bucket/prefix, or the id of an announced run"
    )
    parser.add_argument(
        "--collection", choices=NAMES, metavar="COLLECTION", help="of files (default: that of their first record)"
    )
    parser.add_argument("--receipt", metavar="KEY", help="IMAGE#…#RECEIPT#00001 (default: that of the first record)")
    parser.add_argument(
        "--dimension",
        type=positive,
        metavar="N",
        help="of files (default: that of the collection, or of the first vector where there is none)",
    )
    parser.add_argument(
        "--delta-bucket",
        action="append",
        default=[],
        metavar="NAME",
        help="a bucket that the deployment's delta_buckets names; may be repeated",
    )


def delta_show(parser: argparse.ArgumentParser) -> None:
    delta(parser)
    parser.add_argument("-n", type=positive, default=20, metavar="N", help="how many rows to show (default: 20)")


def versions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", nargs="?", choices=NAMES, metavar="COLLECTION", help="default: all")
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="how many to show (default: 20)")
    parser.add_argument("--all", action="store_true", help="also what lost attempts left, which was never published")
    parser.add_argument(
        "--archived",
        nargs="?",
        const="",
        metavar="BEFORE",
        help="what expired long ago, of one collection; a page, the newest first, older than a snapshot id",
    )


def compare(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument("older", metavar="OLDER", help=f"{_VERSION}; or another generation of the collection, alone")
    parser.add_argument("newer", nargs="?", metavar="NEWER", help=_VERSION)
    parser.add_argument("--limit", type=positive, default=10, metavar="N", help="how many of each kind (default: 10)")


def export(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument(
        "directory", metavar="DIRECTORY", help="where the Chroma directory will be; empty, or not there"
    )
    parser.add_argument("--version", metavar="VERSION", help="a version number or a snapshot id (default: the current)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--efs", metavar="FOLDER", help="from this file system alone, without a stack")
    source.add_argument("--bucket", metavar="NAME", help="from this bucket alone, without a stack")


def verify(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument("version", nargs="?", metavar="VERSION", help=f"{_VERSION} (default: the current one)")


def rollback(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument("version", metavar="VERSION", help=_VERSION)
    _yes(parser)


def pin(parser: argparse.ArgumentParser) -> None:
    unpin(parser)
    parser.add_argument("--why", default="pinned by an operator", metavar="TEXT", help="shown beside the version")


def unpin(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument("version", metavar="VERSION", help=_VERSION)


def fold(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument(
        "--rebuild", action="store_true", help="every shard from its live records alone: no byte of a deleted one stays"
    )
    parser.add_argument("--wait", action="store_true", help="wait for its end; exit code 1 when it fails")


def reshard(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument("--shards", type=int, required=True, metavar="N", help="how many there are to be: 1 to 256")
    parser.add_argument("--plan", action="store_true", help="only say what it would take; start nothing")
    parser.add_argument("--wait", action="store_true", help="wait for its end; exit code 1 when it fails or has lost")


def renew(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", choices=NAMES, metavar="COLLECTION", help=" or ".join(COLLECTIONS))
    parser.add_argument("--model", metavar="NAME", help="begin: the new model, as runs will name it")
    parser.add_argument("--dimension", type=positive, metavar="D", help="begin: how many numbers its vectors have")
    parser.add_argument("--shards", type=int, metavar="N", help="begin: of the generation (default: as many as now)")
    parser.add_argument("--plan", action="store_true", help="begin: only say what it would take; start nothing")
    parser.add_argument(
        "--switch", nargs="?", const="", metavar="GENERATION", help="let it serve (default: the one beside); waits"
    )
    parser.add_argument(
        "--switch-when-complete", action="store_true", help="let the schedule switch once every receipt is in it"
    )
    parser.add_argument("--finish", action="store_true", help="keep up only what serves: the way back ends")
    _yes(parser)


def restore(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument(
        "--head-from-bucket",
        action="store_true",
        help="first let HEAD name the newest whole version in the bucket: for a control table that was lost",
    )
    _yes(parser)


def expire(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument("--apply", action="store_true", help="mark and delete; without it only say what would be")
    parser.add_argument("--before", metavar="VERSION", help="give up every older version, however new it is")
    _yes(parser)


def pause(parser: argparse.ArgumentParser) -> None:
    _collection(parser)
    parser.add_argument("--why", default="paused by an operator", metavar="TEXT", help="shown by `status`")


def resume(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "collection", nargs="?", choices=NAMES, metavar="COLLECTION", help="default: whatever is paused"
    )
    parser.add_argument("--wait", action="store_true", help="wait for its end; exit code 1 when it fails")


def quarantine_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", nargs="?", choices=NAMES, metavar="COLLECTION", help="default: all")
    parser.add_argument(
        "--notes", action="store_true", help="also runs that were not refused, and what there is to know"
    )


def quarantine_retry(parser: argparse.ArgumentParser) -> None:
    _waiting_runs(parser)


def _waiting_runs(parser: argparse.ArgumentParser) -> None:
    _waiting_run(parser, nargs="?")
    parser.add_argument("--all", action="store_true", help="every run in quarantine, in place of RUN")
    parser.add_argument("--reason", metavar="NAME", help="with --all: only those refused as this, like DeltaCorrupt")


def _waiting_run(parser: argparse.ArgumentParser, *, nargs: str | None = None) -> None:
    parser.add_argument(
        "run", nargs=nargs, metavar="RUN", help="id, or beginning of an id, from `compaction quarantine list`"
    )
    parser.add_argument(
        "--receipt", metavar="IMAGE/RECEIPT", help="its receipt, where runs of several receipts have that id"
    )
    parser.add_argument(
        "--collection", choices=NAMES, metavar="COLLECTION", help="only there (default: wherever it is)"
    )


def quarantine_drop(parser: argparse.ArgumentParser) -> None:
    _waiting_runs(parser)
    parser.add_argument("--why", default="by an operator", metavar="TEXT", help="written into the run's error")
    _yes(parser)


def conform(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--local", action="store_true", help="ask what is on this machine, in place of AWS")
    parser.add_argument(
        "--level",
        type=int,
        choices=(0, 1),
        metavar="LEVEL",
        help="0: what needs no stack, on AWS credentials alone; 1: the probes of a stack alone (default: both)",
    )
    parser.add_argument(
        "--template", metavar="FILE", help="of `make synth`: made a change set of, which is not executed"
    )
    parser.add_argument(
        "--records",
        type=int,
        metavar="N",
        help="of the base that is merged and folded at level 1, 0 for none (70,000; 1,000 with --local)",
    )
    parser.add_argument("--report", metavar="FILE", help="write the report there, as JSON")


def _collection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("collection", choices=NAMES, metavar="COLLECTION", help=" or ".join(COLLECTIONS))


def _yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")

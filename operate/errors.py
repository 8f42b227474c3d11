"""What can go wrong between an operator and a stack.

ConsoleError                one clear line for the operator; carries the command's exit code
├── UsageError              an argument that makes no sense here                              exit 2
├── StackNotRunning         no local stack here, or the one that was here is gone             exit 2
├── FolderInUse             a local stack runs in this folder already                         exit 2
├── StackNotFound           no such CloudFormation stack in this account and region           exit 2
├── StackIncomplete         the CloudFormation stack lacks outputs that the console needs     exit 2
├── AccessMissing           no AWS credentials or region to ask with                          exit 2
├── CollectionNotFound      no collection, and no generation of one, has this name            exit 2
├── GenerationUnready       there is no generation to switch to, or none to leave             exit 2
├── ExecutionNotFound       no execution has this name or ARN                                 exit 2
├── ExecutionAmbiguous      a shortened name fits several executions                          exit 2
├── SnapshotNotFound        the collection has no published snapshot yet                      exit 2
├── VersionNotFound         no version of the collection has this number or snapshot id       exit 2
├── VersionAmbiguous        several manifests have this number: which was published?          exit 2
├── VersionRefused          the version is EXPIRED, or already what is asked for              exit 2
├── EmbedderUnfit           a text cannot be asked for: other than this embedder made the vectors  exit 2
├── DimensionsDiffer        two versions whose vectors have different lengths                 exit 2
├── HeadStands              HEAD names a version whose manifest is there: nothing is to be taken up  exit 2
├── NothingToPause          the collection has no HEAD yet                                    exit 2
├── ReceiptNotFound         neither the tables nor a snapshot know this receipt               exit 2
├── RunNotFound             no run in quarantine, or in the table, has this id                exit 2
├── RunAmbiguous            a shortened run id fits several runs                              exit 2
├── RerunRefused            the execution did what has a question of its own                   exit 2
├── NotRedrivable           Step Functions does not offer to resume this execution             exit 2
├── NotRunning              there is nothing to stop: the execution has ended                  exit 2
├── Declined                the operator was asked, and said no                               exit 1
├── EraseRefused            a receipt that exists, or whose deletion is not published yet, is not gone     exit 1
├── NothingMarked           there is no receipt of the image that was to be derived again     exit 1
├── ResumeRefused           HEAD changed with every look: the collection is still paused      exit 1
├── VersionUnreadable       the version's files are gone, or not what its manifest says       exit 1
├── PreviewMissing          the execution of mode plan left no plan                           exit 1
└── ExecutionFailed         the execution that was waited for did not succeed                 exit 1
"""

from receipt_dynamo_stream.errors import CompactionError


class ConsoleError(CompactionError):
    """Root of the console's errors; the message is one line that says what happened and what to do next."""

    exit_code = 2


class UsageError(ConsoleError):
    """Correct the argument and try again."""


class StackNotRunning(ConsoleError):
    """Start a local stack, or name a deployed one."""


class FolderInUse(ConsoleError):
    """Use it, or end it first: two stacks would write to one folder."""


class StackNotFound(ConsoleError):
    """Check the stack's name, the region and the account."""


class StackIncomplete(ConsoleError):
    """The stack was not deployed by this project, or by an older version of it: deploy again."""


class AccessMissing(ConsoleError):
    """Give AWS credentials and a region in the ordinary way."""


class CollectionNotFound(ConsoleError):
    """Give the name of a collection, or of a generation that `compaction renew COLLECTION` shows."""


class GenerationUnready(ConsoleError):
    """Look how the renewal stands, with `compaction renew COLLECTION`."""


class ExecutionNotFound(ConsoleError):
    """Look the name up in the history."""


class ExecutionAmbiguous(ConsoleError):
    """Give more of the name."""


class SnapshotNotFound(ConsoleError):
    """Wait for the first publication."""


class VersionNotFound(ConsoleError):
    """Look the version up among the collection's versions."""


class VersionAmbiguous(ConsoleError):
    """Give a snapshot id."""


class VersionRefused(ConsoleError):
    """Choose another version."""


class EmbedderUnfit(ConsoleError):
    """Name the embedder that made the collection, or ask by a vector."""


class DimensionsDiffer(ConsoleError):
    """Compare versions from before or from after the change of model."""


class HeadStands(ConsoleError):
    """Roll back to another version instead, or restore without taking one up."""


class NothingToPause(ConsoleError):
    """Start an execution first."""


class ReceiptNotFound(ConsoleError):
    """Check the image's id, which is given whole, and the receipt's number."""


class RunNotFound(ConsoleError):
    """Look the run up in the quarantine, or in the receipts table."""


class RunAmbiguous(ConsoleError):
    """Give more of the run's id."""


class RerunRefused(ConsoleError):
    """Do what the execution of this name did by its own action, which says what will happen and asks."""

    def __init__(self, name: str, mode: str) -> None:
        command = f"renew --{mode}" if mode == "switch" else mode
        super().__init__(f"{name} is of mode {mode}: `compaction {command}` does that, and asks first")
        self.name = name
        self.mode = mode


class NotRedrivable(ConsoleError):
    """Re-run it instead."""


class NotRunning(ConsoleError):
    """Look at what became of it."""


class Declined(ConsoleError):
    """Nothing was done."""

    exit_code = 1


class EraseRefused(ConsoleError):
    """Delete the receipt's items, and wait until a version without it is published."""

    exit_code = 1


class NothingMarked(ConsoleError):
    """Check the image's id; one that was never a receipt's leaves nothing to derive."""

    exit_code = 1


class ResumeRefused(ConsoleError):
    """Look who rolls back or pauses at the same time, then resume again."""

    exit_code = 1


class VersionUnreadable(ConsoleError):
    """`compaction verify` says more of a retained version; roll back to another one if it is the current one."""

    exit_code = 1


class PreviewMissing(ConsoleError):
    """Start another execution of mode plan."""

    exit_code = 1


class ExecutionFailed(ConsoleError):
    """The execution ended, and not well: its error and cause say why; running it again is always safe."""

    exit_code = 1

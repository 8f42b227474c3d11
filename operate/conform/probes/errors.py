"""What goes wrong with a probe itself."""

from receipt_dynamo_stream.errors import CompactionError


class ProbesNotTaken(CompactionError):
    """The stack takes no probes."""


class ProbesTaken(CompactionError):
    """Another report is being made of the same stack."""


class ProbeFailed(CompactionError):
    """A probe could not come to its end: what it waited for did not happen."""

"""Reading what is published: the pointer followed, one manifest opened at a time."""

from receipt_chroma.reader.snapshot_reader import SnapshotReader

__all__ = ["SnapshotReader"]

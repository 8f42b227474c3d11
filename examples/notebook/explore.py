# %% [markdown]
# # What is in the words collection
#
# A notebook as a file of cells: VS Code, PyCharm and Jupytext open it as it is. It needs `receipt_chroma` and
# credentials that may read the bucket's snapshots (the stack's output `ReadersPolicyArn`). No VPC, no file system.

# %%
import os
from collections import Counter
from pathlib import Path

from receipt_chroma import SnapshotReader

# %% Open it: the first time fetches the snapshot, later times only what is new.
root = os.environ.get("SNAPSHOTS", "s3://BUCKET/snapshots")
cache = Path(os.environ.get("SNAPSHOT_CACHE", "~/.cache/receipts"))
reader = SnapshotReader(root, "words", cache_dir=cache)
print(f"version {reader.version}, {reader.count():,} records of {reader.dimension} dimensions")
print(f"the newest change is {reader.freshness_seconds / 60:.0f} minutes old")

# %% A look at it
for record in reader.records(limit=3):
    print(record.id, record.document, record.metadata)

# %% Which merchants are there, and how much of it is labelled
metadatas = reader.get(include=["metadatas"])["metadatas"] or []
merchants = Counter(metadata["merchant_name"] for metadata in metadatas if metadata and "merchant_name" in metadata)
print(merchants.most_common(10))
print(f"{reader.count(where={'label_status': 'validated'}):,} are validated")

# %% What is near a record, among those of other receipts
first = reader.peek(1)
near = reader.query(query_embeddings=first["embeddings"], n_results=10)
for record_id, distance in zip(near["ids"][0], (near["distances"] or [[]])[0], strict=True):
    print(f"{distance:.4f}  {record_id}")

# %% Follow the pipeline: run this cell again
print("a newer version" if reader.refresh() else "nothing new", reader.version)

# %%
reader.close()

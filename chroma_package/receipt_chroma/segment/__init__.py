"""Segments: immutable Arrow files that lay whole receipts over a shard's base, and how a reader asks them.

| Module | Answers |
|---|---|
| content | what a segment holds |
| file | its bytes, and back |
| checks | whether bytes are a segment that may be published, from them alone |
| places | where each receipt's records are, and what the shard comes to |
| where, operands, document_regex | which records a Chroma filter selects |
| scan, distance | which records are nearest to a vector |

"Segment" is our file here; chromadb's own segments (METADATA, VECTOR) are parts of a base and appear in no name.
"""

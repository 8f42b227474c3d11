"""How a text becomes a vector: as the sample producers embed theirs. Others' models are not known here."""

from operate.connection import Connection
from operate.contents.query import Embed


def embedder_of(connection: Connection) -> Embed | None:
    """The embedder of a stack's vectors: the samples' on a local stack, None on AWS."""
    if connection.efs_root is None:
        return None
    from local.demo.samples.embedding import embed_text

    return lambda text, dimension: [float(value) for value in embed_text(text, dimension)]

"""Readers on EFS and of the bucket alone, while the machine switches the embedding model and back."""

from pathlib import Path

import pytest
from receipt_chroma import SnapshotReader, WrongModel
from receipt_dynamo_stream.keys import ReceiptId

from .world import MODEL, TWICE, GenerationWorld, should_be

A = ReceiptId("aaaa", 1)


@pytest.mark.slow
def test_readers_follow_a_switch_and_the_way_back_and_answer_their_own_model(
    world: GenerationWorld, tmp_path: Path
) -> None:
    world.published(A)
    world.begin()
    world.renewed(A)
    bucket = f"s3://{world.names.bucket}/snapshots"
    with (
        SnapshotReader(world.efs, "words", cache_dir=tmp_path) as on_efs,
        SnapshotReader(bucket, "words", cache_dir=tmp_path, s3=world.s3) as afar,
    ):
        readers = (on_efs, afar)

        def held() -> list[object]:
            for reader in readers:
                reader.refresh()
            return [{one.id: one.embedding.tolist() for one in reader.records()} for reader in readers]

        first, renewed = ({one: vector for one, (vector, _) in should_be([A], times=times).items()} for times in (1, 2))
        assert held() == [first, first]
        question = next(iter(renewed.values()))
        for reader in readers:
            with pytest.raises(WrongModel, match=MODEL):
                reader.nearest(question, model=MODEL)
        assert world.switch("words-2") == "switched"
        assert held() == [renewed, renewed]
        for reader in readers:
            assert (reader.generation, reader.model, reader.dimension) == ("words-2", MODEL, TWICE)
            assert reader.nearest(question, 1, model=reader.model)[0].distance == 0.0
        later = "2026-01-01T00:00:09+00:00"  # or the two runs would be in the order of their ids
        run = world.announce(A, seed=7, dimension=TWICE, words_model=MODEL, created_at=later)
        world.settle_down()
        for reader in readers:
            version = reader.wait_for(
                run,
                image_id=A.image_id,
                receipt_id=A.receipt_id,
                receipts_table=world.names.receipts_table,
                dynamodb=world.dynamodb,
            )
            assert version == world.head("words-2").version
            assert {str(record.metadata["seed"]) for record in reader.records()} == {"7"}
        assert world.switch("words") == "switched"
        assert held() == [first, first]
        assert [reader.model for reader in readers] == ["", ""]

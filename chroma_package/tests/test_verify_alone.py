"""docs/verify_snapshot.py, which knows nothing of ours, proves what was published and finds whatever happens to it."""

import ast
import importlib.util
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from receipt_chroma.folding import FoldBound
from receipt_chroma.storage.tree import CURRENT, SERVING

from .damages import OF_BASES, OF_FILES, OF_SEGMENTS, Damage, Published
from .samples import word
from .small_changes.labelled import as_version_1, labelled
from .uploads import publish_receipts, receipt_facts, upload
from .world import World

SCRIPT = Path(__file__).parents[2] / "docs/verify_snapshot.py"
KINDS = ("segments", "schema 1", "fold", "reshard", "rollback", "deleted")
A_FEW, MANY = 60, 10_000


def load() -> Any:
    spec = importlib.util.spec_from_file_location("verify_snapshot", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verify = load()


def publish(world: World, kind: str) -> None:
    """A version that was made in this way, over others. No two records say the same: else they may change places."""
    known = [receipt_facts(number) for number in range(1, 7)]
    for of in known:
        upload(
            world,
            of,
            [
                word(1, n, int(of.receipt.image_id[-3:]) * 50 + n, of=of.receipt, document=f"{of.receipt.key} {n}")
                for n in range(1, 5)
            ],
        )
    world.publish(*known)
    if kind == "schema 1":
        as_version_1(world)
        return
    world.bound = FoldBound(least=100)
    of = receipt_facts(7, count=3)
    odd = {"ratio": 0.1 + 0.2, "count": 7, "seen": True, "tags": ["b", "a"], "numbers": [1.5, 2.25]}
    upload(
        world,
        of,
        [
            word(1, 1, of=of.receipt, document=None),
            *(word(1, n, of=of.receipt, document=f"odd {n}", **odd) for n in (2, 3)),
        ],
    )
    world.publish(of)
    world.publish(labelled(1, "TOTAL"), labelled(2, "DATE"))
    first = world.pointer
    if kind in ("fold", "rollback", "deleted"):
        world.publish(replace(receipt_facts(3), exists=False))
        assert world.commit_fold(world.fold())
    if kind == "deleted":
        world.publish(replace(receipt_facts(4), exists=False), labelled(5, "TAX"))
    if kind == "reshard":
        assert world.commit_reshard(world.reshard(3))
        world.publish(labelled(5, "TAX"))
    if kind == "rollback":
        assert first is not None
        world.roll_back(first)


def proved(efs: Path | str, *options: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = verify.main([str(efs), "words", "--json", *options])
    answer = capsys.readouterr()
    assert answer.err == ""
    return code, {"checks": [json.loads(line) for line in answer.out.splitlines()]}


@pytest.fixture(params=KINDS)
def published(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Published:
    publish(world, request.param)
    return Published(world.efs, tmp_path / "copy")


def damages_of(published: Published) -> list[Damage]:
    fresh = any(len(shard.get("segments", ())) for shard in published.manifest["shards"])
    several = len(list(published.manifest_file.parent.glob("*.json"))) > 1
    files = [one for one in OF_FILES if several or one.__name__ != "exchange_manifests"]
    return [*files, *OF_BASES, *(OF_SEGMENTS if fresh else ())]


@pytest.mark.slow
def test_it_proves_what_was_published_and_finds_whatever_happens_to_it(
    published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    find_damages(published, A_FEW, capsys)


@pytest.mark.slow
def test_it_finds_each_of_thousands_of_damages(published: Published, capsys: pytest.CaptureFixture[str]) -> None:
    find_damages(published, MANY // len(KINDS) + 1, capsys)


def find_damages(published: Published, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = proved(published.efs, "--chain", capsys=capsys)
    assert code == 0, answer
    damages = damages_of(published)
    for seed in range(count):
        damage = damages[seed % len(damages)]
        damage(published, random.Random(seed))
        code, answer = proved(published.efs, capsys=capsys)
        wrong = [one for one in answer["checks"] if not one["holds"]]
        assert (code, bool(wrong)) == (1, True), f"{damage.__name__} with seed {seed}"
        published.restore()
    assert proved(published.efs, capsys=capsys)[0] == 0


def test_it_imports_nothing_of_ours_and_has_at_most_200_lines() -> None:
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= 200
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    roots = {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    roots |= {one.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for one in node.names}
    assert roots - sys.stdlib_module_names == {"numpy", "pyarrow"}


@pytest.mark.slow
def test_an_older_version_is_proved_by_the_chain_or_by_a_sha256_that_was_noted(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(world, "fold")
    chain = sorted(one.stem for one in (world.folder / "manifests").glob("*.json"))
    code, answer = proved(world.efs, "--version", chain[0], capsys=capsys)
    assert (code, answer["checks"][0]["says"].split()[0]) == (0, chain[0])
    (world.folder / f"manifests/{chain[1]}.json").unlink()
    code, answer = proved(world.efs, "--version", chain[0], capsys=capsys)
    assert code == 1
    assert "--sha256" in answer["checks"][0]["says"]
    sha256 = verify.sha256((world.folder / f"manifests/{chain[0]}.json").read_bytes()).hexdigest()
    assert proved(world.efs, "--version", chain[0], "--sha256", sha256, capsys=capsys)[0] == 0
    assert proved(world.efs, "--version", chain[0], "--sha256", "0" * 64, capsys=capsys)[0] == 1


@pytest.mark.slow
def test_of_a_collection_with_generations_the_one_that_serves_is_proved(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.collection = "words-2"
    publish_receipts(world, [1, 2])
    (world.efs / "words").mkdir()
    (world.efs / "words" / SERVING).write_text('{"generation": "words-2", "order": 1}\n')
    code, answer = proved(world.efs, capsys=capsys)
    assert code == 0
    assert "words-2" in answer["checks"][0]["says"]


@pytest.mark.slow
def test_a_bucket_is_proved_as_a_folder_is_and_empty_shards_too(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    from moto.server import ThreadedMotoServer

    world.shards = 4
    publish_receipts(world, [1, 2])
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        where = f"s3://{world.bucket}/snapshots?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
        code, answer = proved(where, capsys=capsys)
        assert (code, len(answer["checks"])) == (0, 5)
        assert answer == proved(world.efs, capsys=capsys)[1]
        shard = next(one for one in world.manifest.shards if one.path)
        world.s3.delete_object(Bucket=world.bucket, Key=f"snapshots/words/{shard.path}/chroma.sqlite3")
        assert proved(where, capsys=capsys)[0] == 1
        assert proved(world.efs, capsys=capsys)[0] == 0
    finally:
        server.stop()


def test_nothing_published_is_a_check_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer = proved(tmp_path, capsys=capsys)
    assert code == 1
    assert CURRENT in answer["checks"][0]["says"]


def test_it_runs_by_itself_and_says_a_line_for_each_check(world: World) -> None:
    publish_receipts(world, [1])
    done = subprocess.run(
        [sys.executable, "-I", SCRIPT, world.efs, "words"], capture_output=True, text=True, check=True, timeout=60
    )
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["holds  manifests", "holds  shard 0"]

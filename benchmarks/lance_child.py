"""LanceDB beside ours: driven over a pipe, since its environment is another one than ours.

As a script it runs in that environment and needs nothing of this package: a JSON request a line, a JSON answer a line.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Lance:
    """A LanceDB process on a table that is built once and then copied by hard links. A context manager.

    python: the interpreter that has lancedb; folder: where lance_data's Arrow files are; work: a private folder.
    """

    def __init__(self, python: str, folder: Path, work: Path) -> None:
        if not (folder / "table").exists():
            subprocess.run([python, __file__, "build", str(folder)], check=True)
        shutil.copytree(folder / "table", work / "lance-table", copy_function=os.link)
        command = [python, __file__, "serve", str(folder), str(work / "lance-table")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def query(self, vector: list[float]) -> tuple[float, list[str]]:
        """The seconds that it takes inside the process, and the ids of the ten nearest."""
        answer = self._ask({"do": "query", "vector": vector})
        return answer["seconds"], answer["ids"]

    def publish(self, number: int) -> dict[str, Any]:
        """merge_insert of one new receipt, then the other handle's refresh: the cost of each."""
        return self._ask({"do": "publish", "number": number})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def _table(folder: Path, source: Path) -> Any:
    import lancedb
    import pyarrow as pa

    with pa.memory_map(str(source)) as file:
        rows = pa.ipc.open_file(file).read_all()
        return lancedb.connect(str(folder)).create_table("words", rows)


def _build(folder: Path) -> None:
    from lancedb.index import BTree, IvfHnswSq

    table = _table(folder / "partial", folder / "base.arrow")
    if table.count_rows() >= 5_000:  # an index of fewer rows is not worth training
        table.create_index("vector", config=IvfHnswSq(distance_type="l2"))
    table.create_index("id", config=BTree())
    (folder / "partial").rename(folder / "table")


def _serve(folder: Path, place: str) -> None:
    import lancedb
    import numpy as np
    import pyarrow as pa
    from measured import measured

    writer, reader = (lancedb.connect(place).open_table("words") for _ in range(2))
    columns = [*(name for name in reader.schema.names if name != "vector"), "_distance"]

    def nearest(vector: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = reader.search(vector).select(columns).limit(10).to_list()
        return found

    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "query":
            vector = np.array(request["vector"], np.float32)
            begun = time.perf_counter()
            rows = nearest(vector)
            answer: dict[str, Any] = {"seconds": time.perf_counter() - begun, "ids": [row["id"] for row in rows]}
        else:
            rows = pa.ipc.open_file(str(folder / f"new-{request['number']}.arrow")).read_all()
            with measured() as publication:
                writer.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
            with measured() as refresh:
                reader.checkout_latest()
            assert reader.count_rows() == writer.count_rows()
            answer = {"publication": vars(publication), "refresh": vars(refresh)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "build":
        _build(Path(sys.argv[2]))
    else:
        _serve(Path(sys.argv[2]), sys.argv[3])

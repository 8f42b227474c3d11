import subprocess
import sys

import pytest
import receipt_chroma


def test_importing_the_package_loads_neither_chromadb_nor_pyarrow_nor_boto3() -> None:
    program = "import sys, receipt_chroma; print(sorted({'chromadb', 'pyarrow', 'boto3'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "module",
    ["storage.tree", "snapshot.manifest", "snapshot.retention", "digests", "errors"],
)
def test_who_asks_for_a_manifest_or_a_path_pays_for_that_alone(module: str) -> None:
    heavy = "{'chromadb', 'pyarrow', 'numpy', 'sqlite3', 'boto3', 'botocore'}"
    program = f"import sys, receipt_chroma.{module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_sorted_and_exist() -> None:
    names = receipt_chroma.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(hasattr(receipt_chroma, name) for name in names)


def test_the_script_function_is_where_scripts_look_for_it() -> None:
    from receipt_chroma.compaction import update_receipt_metadata

    assert update_receipt_metadata is receipt_chroma.update_receipt_metadata

"""What the two packages promise: `make bench-packages`. Exits 1 when the zip is too large or a test fails.

Imports are CPU seconds of fresh processes here, the lesser of two. What AWS adds (starting the sandbox, fetching the
zip or the image, mounting EFS) is in none of them. No image is built: its size is that of the libraries that it
installs, as they are unpacked in this environment, without bytecode and without AWS's base image.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "cdk")]

from compaction_cdk.settings import STAGES  # noqa: E402
from compaction_cdk.steps import container_steps, zip_steps  # noqa: E402
from prices import PRICES  # noqa: E402
from stream import COLD_START  # noqa: E402

from handlers.build_zip import LIMIT_BYTES, build  # noqa: E402

PROCESSES = 2
SECONDS_OF_A_BATCH = 0.5
"""What looking at a batch and writing its pending rows is taken to last, in either kind of function: an assumption, as
OTHER_SECONDS of cdk/cost.py is, and not measured on Lambda."""
CONTAINER_MB = 1769
"""What the functions in the image get that open no Chroma."""


def cpu_seconds(code: str) -> float:
    """The least CPU time of two fresh processes that run the code in the repository's root."""
    times = []
    for _ in range(PROCESSES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def libraries_of_the_image() -> tuple[int, int, list[str]]:
    """Bytes of what handlers/requirements.txt names, how many that are, and those that are not installed here."""
    names = re.findall(r"^([\w.-]+)==", (ROOT / "handlers/requirements.txt").read_text(), re.MULTILINE)
    total, missing = 0, []
    for name in names:
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        files = (Path(str(installed.locate_file(file))) for file in installed.files or () if file.suffix != ".pyc")
        total += sum(file.stat().st_size for file in files if file.is_file())
    return total, len(names), missing


def seconds_of_light_tests() -> tuple[float, bool, str]:
    """Wall seconds of a whole run of the light package's tests, whether they passed, and pytest's last line."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "stream_package/tests"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return time.perf_counter() - started, done.returncode == 0, done.stdout.strip().splitlines()[-1]


def dollars_a_million(memory_mb: int, second: str, batch: int) -> float:
    """Lambda's price of a million stream records in full batches, without free tiers."""
    invocations = 1e6 / batch
    return float(invocations * (PRICES["request"][0] + SECONDS_OF_A_BATCH * memory_mb / 1024 * PRICES[second][0]))


def main() -> int:
    """Print a table; the exit code says whether the bounds hold."""
    with tempfile.TemporaryDirectory() as folder:
        size = build(Path(folder) / "stream.zip")
    unpacked, count, missing = libraries_of_the_image()
    seconds, passed, said = seconds_of_light_tests()
    stage = STAGES["dev"]
    light, heavy = zip_steps(), container_steps(stage)
    print(f"zip of the light functions: {size:,} bytes (at most {LIMIT_BYTES:,})")
    absent = f"; not installed here and not counted: {', '.join(missing)}" if missing else ""
    print(f"libraries of the image, unpacked: {unpacked / 1e6:,.0f} MB of {count} distributions{absent}")
    print(f"tests of the light package: {seconds:.1f} s in all ({said})")
    boto3 = cpu_seconds("import boto3")
    print(f"importing boto3: {boto3:.2f} s of CPU")
    print(f"StreamHandler, imports, clients and the first, empty batch: {cpu_seconds(COLD_START):.2f} s of CPU")
    for kind, steps in (("zip", light), ("image", heavy)):
        for step in steps:
            module = step.handler.rpartition(".")[0]
            print(f"{step.name} ({kind}), imports: {cpu_seconds(f'import {module}'):.2f} s of CPU", flush=True)
    memory = light[0].memory
    for what, mb, price in (("zip, arm64", memory, "arm_second"), ("image, x86", CONTAINER_MB, "x86_second")):
        dollars = dollars_a_million(mb, price, stage.batch_size)
        print(f"a million stream records, {what}, {mb} MB, batches of {stage.batch_size}: ${dollars:.4f}")
    return int(size > LIMIT_BYTES or not passed)


if __name__ == "__main__":
    sys.exit(main())

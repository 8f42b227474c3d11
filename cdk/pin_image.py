"""Pin the image's base to what its tag names today: `make pin-image`, on a machine with Docker and a way out.

Writes `tag@sha256:…` into handlers/Dockerfile. Docker then takes the digest, whatever becomes of the tag; run it again
for a newer base. The digest is that of the list of all architectures, so that it fits either setting.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

DOCKERFILE = Path(__file__).resolve().parents[1] / "handlers/Dockerfile"
BASE = re.compile(r"^ARG BASE=([^\s@]+)(?:@\S+)?$", re.MULTILINE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class NoDigest(RuntimeError):
    """The registry's digest could not be had: the message says what was asked and what came back."""


def digest_of(image: str) -> str:
    """The digest that the registry has for a tag now. Raises NoDigest."""
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", "{{json .Manifest}}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 -- no shell
        digest = str(json.loads(answer)["digest"])
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError) as error:
        raise NoDigest(f"`{' '.join(command)}`: {getattr(error, 'stderr', None) or error}") from error
    if not DIGEST.fullmatch(digest):
        raise NoDigest(f"`{' '.join(command)}` answered {digest!r}, which is no digest")
    return digest


def pinned(text: str, digest: str) -> str:
    """A Dockerfile's text with its base at this digest."""
    return BASE.sub(lambda found: f"ARG BASE={found[1]}@{digest}", text)


def main() -> int:
    """Pin, and print the line; the exit code is 1 when there was no digest, and nothing is changed then."""
    text = DOCKERFILE.read_text()
    found = BASE.search(text)
    assert found, f"{DOCKERFILE} has no ARG BASE=…"
    try:
        text = pinned(text, digest_of(found[1]))
    except NoDigest as error:
        print(error, file=sys.stderr)
        return 1
    DOCKERFILE.write_text(text)
    print(f"handlers/Dockerfile: {BASE.search(text)[0]}")  # type: ignore[index]
    return 0


if __name__ == "__main__":
    sys.exit(main())

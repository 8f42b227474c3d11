"""Where the files are that a deployment is made from."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEFINITION = ROOT / "state_machines/compaction.asl.json"
STREAM_ZIP = ROOT / "dist/stream.zip"
DOCKERFILE = "handlers/Dockerfile"
DOCKER_IGNORE = ROOT / "handlers/Dockerfile.dockerignore"

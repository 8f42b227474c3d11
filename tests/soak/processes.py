"""Processes that a stack left behind."""

from __future__ import annotations

from pathlib import Path

from .stage import Stage


def left_behind(stage: Stage) -> list[str]:
    """Every process with the stack's environment that is neither a worker nor a child of one."""
    workers = stage.workers
    found = {pid: parent for pid, parent in _of_stack(stage) if pid not in workers}
    return [f"{pid} ({_command(pid)})" for pid, parent in sorted(found.items()) if parent not in workers]


def _of_stack(stage: Stage) -> list[tuple[int, int]]:
    mark = f"EFS_ROOT={stage.stack.efs}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((int(folder.name), int((folder / "stat").read_text().rpartition(")")[2].split()[1])))
            except OSError:
                continue  # it has ended, or is none of ours
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")[:120].strip()
    except OSError:
        return "ended"

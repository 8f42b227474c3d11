"""The command that teaches a shell the others."""

from argparse import Namespace

from console.cli.arguments import build_parser
from console.cli.commands import print_json


def completion(arguments: Namespace) -> int:
    """Print the script. The shell reads it once and runs nothing of ours: `eval "$(compaction completion bash)"`."""
    import shtab

    script = shtab.complete(build_parser(), arguments.shell)
    if arguments.json:
        print_json({"shell": arguments.shell, "script": script})
    else:
        print(script)
    return 0

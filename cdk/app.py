"""The CDK app: `make synth`, or `npx aws-cdk@2 deploy` in this folder.

Synthesising needs no credentials, no Docker and no CDK command. `python cdk/app.py stage=prod` sets what
`cdk -c stage=prod` sets. The result is in dist/cdk.out unless CDK_OUTDIR says otherwise, as the CDK command does.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> int:
    """Synthesise, and say what is wrong on stderr; the exit code is 1 then."""
    from compaction_cdk.node import NodeMissing, node

    try:
        if "JSII_NODE" not in os.environ:  # CDK's constructs run in Node
            os.environ["JSII_NODE"] = str(node())
    except NodeMissing as error:
        print(error, file=sys.stderr)
        return 1
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

"""What a stage's template is, synthesised once for all tests of a process; CDK is loaded when it is asked for."""

import json
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.cdk.template import Template

from .shell import ROOT


@cache
def template(stage: str, delete_data: str = "") -> Template:
    """The one of this stage, with what the command line may say besides."""
    folder = Path(tempfile.mkdtemp())
    if str(ROOT / "cdk") not in sys.path:
        sys.path.insert(0, str(ROOT / "cdk"))
    from compaction_cdk.application import synthesise

    context = {"stage": stage} | ({"delete_data": delete_data} if delete_data else {})
    (stack,) = synthesise(folder / "cdk.out", context, _zip_file()).stacks
    return Template(json.loads(Path(stack.template_full_path).read_text()))


@cache
def _zip_file() -> Path:
    from handlers.build_zip import build

    target = Path(tempfile.mkdtemp()) / "stream.zip"
    build(target)
    return target

"""Draw compaction.asl.json as a Mermaid flowchart into this folder's README: `python state_machines/draw.py`.

With --check it writes nothing and exits 1 when the picture is not the one of the file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ASL, README = FOLDER / "compaction.asl.json", FOLDER / "README.md"
BEGIN, END = "<!-- picture: made by draw.py -->\n", "<!-- end of picture -->\n"
SHAPES = {"Choice": '{{"%s"}}', "Succeed": '(["%s"])', "Fail": '(["%s"])', "Wait": '>"%s"]', "Pass": '("%s")'}
RECTANGLE = '["%s"]'
STYLES = {
    "lambda": "fill:#dbeafe,stroke:#1d4ed8,color:#111",
    "dynamodb": "fill:#fef3c7,stroke:#b45309,color:#111",
    "fail": "fill:#fee2e2,stroke:#b91c1c,color:#111",
    "good": "fill:#dcfce7,stroke:#15803d,color:#111",
    "pure": "fill:#f4f4f5,stroke:#71717a,color:#111",
}


def kind(state: dict[str, Any]) -> str:
    """The style class of a state: what it does to the world."""
    if state["Type"] == "Task":
        return "dynamodb" if ":dynamodb:" in state["Resource"] else "lambda"
    return {"Fail": "fail", "Succeed": "good"}.get(state["Type"], "pure")


def edges(name: str, state: dict[str, Any]) -> Iterator[str]:
    """The lines that leave a state. A dotted one is a Catch, with the last part of the error's name."""
    if state["Type"] == "Choice":
        for target in dict.fromkeys(choice["Next"] for choice in state["Choices"]):
            yield f"  {name} --> {target}"
        yield f"  {name} -->|else| {state['Default']}"
    elif "Next" in state:
        yield f"  {name} --> {state['Next']}"
    for catcher in state.get("Catch", []):
        error = "any error" if catcher["ErrorEquals"] == ["States.ALL"] else "refused"
        yield f"  {name} -.->|{error}| {catcher['Next']}"


def chart(states: dict[str, Any]) -> Iterator[str]:
    """The lines of one level of states; a Map is a box around its own."""
    for name, state in states.items():
        if state["Type"] == "Map":
            inner = state["ItemProcessor"]["States"]
            yield f'  subgraph {name}["{name}: one item a touched shard"]'
            yield from chart(inner)
            yield "  end"
        else:
            yield f"  {name}{SHAPES.get(state['Type'], RECTANGLE) % name}:::{kind(state)}"
        yield from edges(name, state)


def picture(asl: dict[str, Any]) -> str:
    """The whole flowchart in a Mermaid code block."""
    styles = [f"  classDef {name} {style}" for name, style in STYLES.items()]
    return "\n".join(["```mermaid", "flowchart TD", *chart(asl["States"]), *styles, "```", ""])


def main() -> int:
    """Write or check the picture; the exit code says whether it was right before."""
    text = README.read_text()
    before, rest = text.split(BEGIN)
    _old, after = rest.split(END)
    new = before + BEGIN + picture(json.loads(ASL.read_text())) + END + after
    if "--check" in sys.argv:
        return int(new != text)
    README.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())

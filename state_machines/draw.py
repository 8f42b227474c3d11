"""Draw compaction.asl.json as Mermaid flowcharts into this folder's README: `python state_machines/draw.py`.

One picture of all states is too large to read, so each part of the file has its own; what lies in another part is a
dashed stub. With --check it writes nothing and exits 1 when the pictures are not those of the file.
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
    "stub": "fill:none,stroke:#71717a,stroke-dasharray:4 3",
}
PARTS = {
    "ValidateInput": "The input and the lease",
    "IsProjected": "Before a round",
    "PlanCompaction": "One round",
    "PlanFold": "A fold, a re-shard",
    "IsFoldDue": "The end",
}
"""The state that each part of the file begins with, and what the part is called."""


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
            yield f'  subgraph {name}["{name}: one item a shard"]'
            yield from chart(inner)
            yield "  end"
        else:
            yield f"  {name}{SHAPES.get(state['Type'], RECTANGLE) % name}:::{kind(state)}"
        yield from edges(name, state)


def parts(states: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The states of each part, by the part's title, in the order of the file."""
    found: dict[str, dict[str, Any]] = {}
    for name, state in states.items():
        if name in PARTS:
            found[PARTS[name]] = {}
        found[list(found)[-1]][name] = state
    return found


def stubs(part: str, own: dict[str, Any], all_parts: dict[str, dict[str, Any]]) -> Iterator[str]:
    """States of other parts that this one leads to, each with the number of its part."""
    targets = {line.split()[-1] for name, state in own.items() for line in edges(name, state)}
    for number, (title, states) in enumerate(all_parts.items(), 1):
        for name in states:
            if title != part and name in targets:
                yield f'  {name}["{name} ({number})"]:::stub'


def picture(asl: dict[str, Any]) -> str:
    """All parts, each a heading and a Mermaid code block."""
    all_parts = parts(asl["States"])
    lines: list[str] = []
    for number, (part, own) in enumerate(all_parts.items(), 1):
        body = [*chart(own), *stubs(part, own, all_parts)]
        styles = [f"  classDef {name} {style}" for name, style in STYLES.items()]
        lines += [f"### {number}. {part}", "", "```mermaid", "flowchart TD", *body, *styles, "```", ""]
    return "\n".join(lines)


def main() -> int:
    """Write or check the pictures; the exit code says whether they were right before."""
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

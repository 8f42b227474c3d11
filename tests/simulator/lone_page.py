"""A file that plays a recording, with all that it needs inside: the console's own player, styles and markup."""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

WEB = Path(__file__).parents[2] / "console/web"
_SHEETS, _SCRIPT = ("base", "parts", "player"), "player.js"


def lone_page(recording: dict[str, Any], root: str = "../..") -> str:
    """The page; `root` leads from it to the repository, for its links. No text in it can end the script around it."""
    templates = Environment(
        loader=FileSystemLoader([Path(__file__).parent, WEB / "templates"]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    data = json.dumps(recording, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return templates.get_template("lone_page.html").render(
        recording=recording,
        sentences=[frame["says"] for frame in recording["frames"]],
        root=root,
        data=Markup(data),
        style=Markup("".join(_static(f"{sheet}.css") for sheet in _SHEETS)),
        script=Markup(_static(_SCRIPT)),
    )


def _static(name: str) -> str:
    return (WEB / "static" / name).read_text("utf-8")

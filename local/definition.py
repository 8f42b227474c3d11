"""The state machine's text with its `${…}` filled in, as a deployment does it."""

import json
import re
from collections.abc import Mapping

from local.errors import SubstitutionError

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


def substitute(text: str, values: Mapping[str, str]) -> str:
    """`text` with every `${Name}` replaced by its value.

    Raises SubstitutionError when the text asks for a name without value, when a value is asked for by nobody (a
    renamed placeholder would otherwise pass unnoticed), and when the result is not JSON.
    """
    asked = set(_PLACEHOLDER.findall(text))
    if missing := sorted(asked - set(values)):
        raise SubstitutionError(f"no value for {_as_text(missing)}")
    if unused := sorted(set(values) - asked):
        raise SubstitutionError(f"the state machine does not use {_as_text(unused)}")
    filled = _PLACEHOLDER.sub(lambda match: values[match[1]], text)
    try:
        json.loads(filled)
    except ValueError as error:
        raise SubstitutionError(f"the state machine is not JSON after substitution: {error}") from error
    return filled


def _as_text(names: list[str]) -> str:
    return ", ".join(f"${{{name}}}" for name in names)

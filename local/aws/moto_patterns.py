"""What moto's EventBridge says of an event and a pattern, in this process."""

import json


def matches_in_moto(pattern: str, event: str) -> bool:
    """Whether a rule of this pattern takes the event."""
    from moto.events.models import EventPattern

    return bool(EventPattern.load(pattern).matches_event(json.loads(event)))

"""What version 1.0.0 deployed and stored: its templates, and a record in each state.

`version_1_0.json` was written by the code of 1.0.0: templates of all environments, and the records
that its handler left on moto. Of `dev` it has the whole templates of the shared and the WhatsApp
stack, without texts for people; of the others what an update may not change, and the outputs'
names.
"""

import json
import time
from pathlib import Path
from typing import Any

_STORED: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
TEMPLATES: dict[str, dict[str, Any]] = _STORED["templates"]
"""Templates by environment and the construct id of the stack."""
STATES: tuple[str, ...] = tuple(_STORED["records"])
"""The situations of the records, each the id of its conversation."""
SUPPRESSION: dict[str, Any] = _STORED["suppression"]
"""The item of the recipient in the situation `opted_out`."""
_EPOCH_ATTRIBUTES = ("lease_expires_at", "send_intent_at", "send_deadline")
_AGE_SECONDS = 3600


def record(state: str) -> dict[str, Any]:
    """Return a record in DynamoDB's notation, whose lease and send ended an hour ago."""
    found: dict[str, Any] = _STORED["record"] | _STORED["records"][state]
    then = {"N": f"{time.time() - _AGE_SECONDS:.3f}"}
    return found | {name: then for name in _EPOCH_ATTRIBUTES if name in found}


def recipient(state: str) -> str:
    number: str = record(state)["primary_channel"]["S"]
    return number


def unreadable(item: dict[str, Any]) -> list[str]:
    """Return the attributes of a record that version 1.0 would not read.

    It ignores attributes that it does not know. Of the others it expects the types that it wrote
    itself, and in a map all of its own keys.
    """
    known = [record(state) for state in STATES]
    states = {each["conversation_status"]["S"] for each in known}
    found = [] if item["conversation_status"]["S"] in states else ["conversation_status"]
    for name, value in item.items():
        examples = [each[name] for each in known if name in each]
        if examples and not any(_is_like(value, each) for each in examples):
            found.append(name)
    return found


def _is_like(value: dict[str, Any], example: dict[str, Any]) -> bool:
    [(kind, content)], [(expected, model)] = value.items(), example.items()
    if kind != expected:
        return False
    if kind == "M":
        return all(name in content and _is_like(content[name], model[name]) for name in model)
    if kind == "L" and model:
        return all(any(_is_like(each, like) for like in model) for each in content)
    return kind != "L" or not content

"""Messages with canaries in them, and vendors' faults that quote them."""

import json
from collections.abc import Mapping, Sequence
from itertools import count
from types import MappingProxyType
from typing import Any

from local.stand_ins.faults import Fault
from tests.privacy.canaries import MARK, NUMBERS, planted
from tests.services.channel import Channel
from tests.unit import contexts

WORDS = f"{MARK} words about +{NUMBERS[0]}000"
"""What an error of somebody else quotes."""
EMPTY: Mapping[str, object] = MappingProxyType({})
_numbers = count()


def body(changes: Mapping[str, object] = EMPTY, engine: str = "responses") -> str:
    """A context object of a conversation of its own, with other values at dotted paths."""
    document = planted(next(_numbers) % 1000)
    config = "company_data_payload.ai_config.openai_config.whatsapp"
    contexts.changed(f"{config}.engine", engine, document)
    for path, value in changes.items():
        contexts.changed(path, value, document)
    return json.dumps(document)


def deliver(channel: Channel, bodies: Sequence[str], **options: Any) -> None:
    """Deliver bodies in batches, as they come."""
    for start in range(0, len(bodies), 10):
        channel.deliver(*bodies[start : start + 10], **options)


def quoting(fault: Fault) -> Fault:
    """An error in words that quote personal data; what is no error stays as it is."""
    if not fault.status or fault.kind != "error":
        return fault
    return Fault.error(fault.status, fault.code, WORDS)


def misfit(variables: Mapping[str, str]) -> Fault:
    """An answer of the AI with these variables, whatever was asked for."""
    return Fault.misfit(json.dumps(variables))

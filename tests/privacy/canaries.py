"""Canaries: made-up personal data and secrets that can be told wherever they come up."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tests.services.channel import ACCOUNT, API_KEY, TOKEN
from tests.unit import contexts

MARK = "kanari"
"""Stands in every text that is planted; what follows it tells where it was planted."""
NUMBERS = ("447700900", "15550100")
"""How all numbers begin, with or without a plus: the recipients' and the senders'."""
AMOUNT = 918_273.645
"""A number in the project's data."""
SECRETS = (API_KEY, TOKEN, base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode())
"""The key, the token, and the header that a token becomes."""
MESSAGE = {"1": f"{MARK} addressee", "2": f"{MARK} message: shall we call you tomorrow at noon?"}
"""What the AI writes."""

TEXTS: Mapping[str, Any] = {
    "frontend_payload.company_data.api_key": f"{MARK}-router-key",
    "frontend_payload.recipient_data.recipient_first_name": f"{MARK} first name",
    "frontend_payload.recipient_data.recipient_last_name": f"{MARK} last name",
    "frontend_payload.recipient_data.recipient_email": f"{MARK}@example.org",
    "frontend_payload.project_data": {
        f"{MARK} field": [{f"{MARK} nested field": f"{MARK} nested\nü \u202e value"}, AMOUNT],
    },
    "company_data_payload.company_name": f"{MARK} company",
    "company_data_payload.project_name": f"{MARK} project",
    "company_data_payload.company_rep": {"name": f"{MARK} representative", "of": [AMOUNT]},
    "company_data_payload.auto_queue_start": f"{MARK} start",
    "company_data_payload.auto_queue_windows": [{f"{MARK} window": AMOUNT}],
    "company_data_payload.rate_limits": {f"{MARK} limit": AMOUNT},
    "company_data_payload.ai_config.openai_config.whatsapp.assistant": {
        "model": "gpt-6-luna",
        "instructions": f"{MARK} instructions",
        "variables": {
            name: {"description": f"{MARK} variable", "max_length": 90} for name in MESSAGE
        },
        "max_output_tokens": 500,
    },
}
"""What is planted into a context object; its ids are no secret and stay as they are."""
NAMES: Mapping[str, str] = {
    "company_data_payload.ai_config.openai_config.whatsapp.api_key_reference": (
        "ai-multi-comms/dev/openai-api-key/whatsapp"
    ),
    "company_data_payload.channel_config.whatsapp.whatsapp_credentials_id": (
        "ai-multi-comms/dev/whatsapp-credentials/demo-company"
    ),
}


def planted(number: int = 0) -> dict[str, Any]:
    """A valid context object with every optional field, and a canary in each that may be any text.

    Args:
        number: Tells conversations and their recipients apart, from 0 to 999.
    """
    document = contexts.complete()
    for path, value in {**TEXTS, **NAMES}.items():
        contexts.changed(path, json.loads(json.dumps(value)), document)
    recipient = "frontend_payload.recipient_data.recipient_tel"
    contexts.changed(recipient, f"+{NUMBERS[0]}{number:03}", document)
    contexts.changed("conversation_data.conversation_id", f"conversation-{number}", document)
    sender = "company_data_payload.channel_config.whatsapp.company_whatsapp_number"
    return contexts.changed(sender, f"+{NUMBERS[1]}001", document)


def found_in(text: str) -> list[str]:
    """Where canaries stand in a text, as they are or spelled for JSON, an address or a header."""
    spelled = {spelling for canary in _all() for spelling in _spellings(canary)}
    lowered = text.lower()
    places = sorted(lowered.find(each) for each in spelled if each in lowered)
    return [text[max(0, place - 20) : place + 40] for place in places]


def _all() -> tuple[str, ...]:
    return (MARK, *NUMBERS, str(AMOUNT), *SECRETS)


def _spellings(canary: str) -> tuple[str, ...]:
    reprs = (canary, json.dumps(canary)[1:-1], quote(canary, safe=""))
    return tuple(spelling.lower() for spelling in (*reprs, *_base64(canary)))


def _base64(canary: str) -> tuple[str, ...]:
    """What a text is within a longer one in base64: it may begin at any of three places."""
    inner = (base64.b64encode(b"-" * shift + canary.encode()) for shift in range(3))
    return tuple(each[4:-4].decode() for each in inner if len(each) > 12)

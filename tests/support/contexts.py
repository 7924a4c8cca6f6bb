"""Context objects as the channel router puts them on the queue; all numbers are fictitious."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from lambda_src.core.models import ContextObject
from lambda_src.services.secrets_manager_service import is_within
from lambda_src.utils.context_processor import ContextParser

CHANNEL = "whatsapp"
OPENAI_SECRET = "ai-multi-comms/dev/openai-api-key/whatsapp"
TWILIO_SECRET = "ai-multi-comms/dev/whatsapp-credentials/harbour"
SECRET_PREFIXES = (OPENAI_SECRET, "ai-multi-comms/dev/whatsapp-credentials/")
RECIPIENT = "+15550100123"
SENDER = "+447700900001"
CONVERSATION = "conversation-1"

Document = dict[str, Any]


def valid() -> Document:
    """Return a context object with the required fields only."""
    return {
        "metadata": {},
        "conversation_data": {"conversation_id": CONVERSATION},
        "frontend_payload": {
            "company_data": {"company_id": "harbour", "project_id": "spring"},
            "recipient_data": {"recipient_tel": RECIPIENT, "comms_consent": True},
            "request_data": {"request_id": "request-1", "channel_method": CHANNEL},
        },
        "company_data_payload": {
            "company_id": "harbour",
            "project_id": "spring",
            "company_name": "Harbour Logistics",
            "project_name": "Spring Intake",
            "project_status": "active",
            "allowed_channels": ["sms", CHANNEL],
            "ai_config": {
                "openai_config": {
                    CHANNEL: {
                        "api_key_reference": OPENAI_SECRET,
                        "assistant_id_template_sender": "first_contact",
                    }
                }
            },
            "channel_config": {
                CHANNEL: {
                    "company_whatsapp_number": SENDER,
                    "whatsapp_credentials_id": TWILIO_SECRET,
                }
            },
        },
    }


OPTIONAL: Mapping[str, Any] = {
    "metadata.router_version": "2.4.0",
    "conversation_data.conversation_status": "pending",
    "frontend_payload.company_data.api_key": "router-key-1",
    "frontend_payload.recipient_data.recipient_first_name": "Amara",
    "frontend_payload.recipient_data.recipient_last_name": "Okafor",
    "frontend_payload.recipient_data.recipient_email": "amara@example.org",
    "frontend_payload.request_data.initial_request_timestamp": "2026-11-22T09:00:00Z",
    "frontend_payload.project_data": {"job": {"title": "Operative", "hourly_rate": 12.85}},
    "company_data_payload.company_rep": {"name": "Tom Reed", "role": "Recruiter"},
    "company_data_payload.auto_queue_start": "08:00",
    "company_data_payload.auto_queue_windows": [{"from": 8, "to": 18.5}],
    "company_data_payload.rate_limits": {"per_minute": 20},
    "company_data_payload.ai_config.openai_config.whatsapp.engine": "assistants",
    "company_data_payload.ai_config.openai_config.whatsapp.assistant": {
        "model": "model-of-the-day",
        "instructions": "Write a greeting.",
        "variables": {"1": {"description": "The first name.", "max_length": 40}},
        "max_output_tokens": 500,
    },
}
"""Every optional field, by its path."""


def complete() -> Document:
    """Return a context object with every optional field."""
    document = valid()
    for path, value in OPTIONAL.items():
        document = changed(path, json.loads(json.dumps(value)), document)
    return document


def changed(path: str, value: object, document: Document | None = None) -> Document:
    """Return a valid context object except for the value at a dotted path."""
    document = document or valid()
    parent, name = _parent(document, path)
    parent[name] = value
    return document


def without(path: str, document: Document | None = None) -> Document:
    """Return a valid context object without a dotted path."""
    document = document or valid()
    parent, name = _parent(document, path)
    del parent[name]
    return document


def _parent(document: Document, path: str) -> tuple[Document, str]:
    *parents, name = path.split(".")
    for parent in parents:
        document = document[parent]
    return document, name


body = json.dumps
"""Returns a document as the body of a queue message."""
parser = ContextParser(CHANNEL, partial(is_within, prefixes=SECRET_PREFIXES))


def parse(document: object) -> ContextObject:
    return parser(body(document))

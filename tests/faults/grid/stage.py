"""What a world is furnished with: a table, secrets, the function's configuration, a message."""

import json
from typing import Any

from lambda_src.services.dynamodb_values import serialized
from lambda_src.services.recipient_marks import key_of
from tests.faults.grid.scenarios import Scenario
from tests.faults.grid.services import AWS_ACCOUNT, REGION, Services
from tests.services.channel import (
    ACCOUNT,
    API_KEY,
    CONVERSATION,
    OPENAI_SECRET,
    PREFIXES,
    RECIPIENT,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
    context,
    openai_config,
    recipient_data,
)

FUNCTION_SECONDS = 180
"""The function's timeout, as deployed."""
TABLE = "conversations"
QUEUE = "queue"
KEY = {"primary_channel": {"S": RECIPIENT}, "conversation_id": {"S": CONVERSATION}}
"""The key of the one conversation there is."""
TIMEOUTS = {"OPENAI_TIMEOUT_SECONDS": "5", "TWILIO_TIMEOUT_SECONDS": "2"}
"""Real ones, hence short: what hangs is waited for. Everything else is as deployed."""
_IDEMPOTENCY_TABLE = "idempotency"


def furnish(services: Services, scenario: Scenario) -> None:
    """Make the tables and the secrets."""
    _make_table(services, TABLE, primary_channel="HASH", conversation_id="RANGE")
    _make_table(services, _IDEMPOTENCY_TABLE, id="HASH")
    template = {"twilio_template_sid": TEMPLATE} if scenario.is_template else {}
    if scenario.is_opted_out:
        _suppress(services)
    _make_secret(services, OPENAI_SECRET, ai_api_key=API_KEY)
    _make_secret(
        services, TWILIO_SECRET, twilio_account_sid=ACCOUNT, twilio_auth_token=TOKEN, **template
    )


def environment(scenario: Scenario) -> dict[str, str]:
    """The function's environment variables, but for the addresses of local servers."""
    return {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "made-up",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "CHANNEL": "whatsapp",
        "QUEUE_URL": f"http://127.0.0.1/{AWS_ACCOUNT}/{QUEUE}",
        "CONVERSATIONS_TABLE": TABLE,
        "IDEMPOTENCY_TABLE": _IDEMPOTENCY_TABLE,
        "SECRET_PREFIXES": ",".join(PREFIXES),
        **TIMEOUTS,
        **scenario.environment,
    }


def body(scenario: Scenario) -> str:
    """The context object that the router puts on the queue."""

    def configure(document: dict[str, Any]) -> None:
        assistant = "first_contact" if scenario.is_template else "free_text"
        openai_config(document).update(
            assistant_id_template_sender=assistant, engine=scenario.engine
        )
        recipient_data(document)["comms_consent"] = scenario.has_consent

    return context(configure)


def _make_table(services: Services, name: str, **keys: str) -> None:
    services.aws(
        "DynamoDB_20120810.CreateTable",
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
    )


def _suppress(services: Services) -> None:
    mark = {**key_of("whatsapp", RECIPIENT), "suppressed_at": "2026-01-01T00:00:00.000+00:00"}
    services.aws("DynamoDB_20120810.PutItem", TableName=TABLE, Item=serialized(mark))


def _make_secret(services: Services, name: str, **value: str) -> None:
    services.aws(
        "secretsmanager.CreateSecret",
        Name=name,
        SecretString=json.dumps(value),
        ClientRequestToken=name.ljust(32, "-")[:32],
    )

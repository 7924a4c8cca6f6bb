"""Fictitious credentials and addresses, and the real Twilio client for a fake."""

from datetime import UTC, datetime

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

KEY = "fake-openai-key"
MODEL = "model-one"
ACCOUNT, OTHER_ACCOUNT = f"AC{'0' * 32}", f"AC{'2' * 32}"
TOKEN = "fake-twilio-token"
TEMPLATE = f"HX{'1' * 32}"
SERVICE, EMPTY = f"MG{'1' * 32}", f"MG{'2' * 32}"
SENDER = "whatsapp:+15550100001"
RECIPIENT = "whatsapp:+15550100002"
NOON = datetime(2030, 1, 15, 12, tzinfo=UTC).timestamp()
TIMEOUT = 60.0
"""Seconds that no request here takes, even on the slowest machine."""


def twilio_client(
    base_url: str, account_sid: str = ACCOUNT, token: str = TOKEN, *, timeout: float = TIMEOUT
) -> Client:
    """Return a client for an account at a fake; `timeout` is in seconds."""
    http_client = TwilioHttpClient(timeout=timeout)
    client = Client(account_sid, token, http_client=http_client)  # type: ignore[no-untyped-call]  # the SDK has no types here
    client.api.base_url = base_url
    return client

"""A channel with the real runtime, AWS in memory and the vendors' stand-ins."""

from tests.services.conftest import (  # noqa: F401 - fixtures
    account,
    aws,
    channel,
    openai,
    openai_server,
    queue_url,
    secrets,
    table,
    twilio,
    twilio_server,
)

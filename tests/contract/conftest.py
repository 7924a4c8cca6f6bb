"""Fixtures of the template and of the runtime."""

from tests.infra.conftest import dev  # noqa: F401 - a fixture
from tests.support.fixtures import (  # noqa: F401 - fixtures
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

"""The template and the runtime side by side: the fixtures of both kinds of tests."""

from tests.infra.conftest import dev  # noqa: F401 - a fixture
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

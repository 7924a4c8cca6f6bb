"""Fixtures of the template and of the runtime."""

from typing import Any

from lambda_src import index
from tests.infra.conftest import dev  # noqa: F401 - a fixture
from tests.support.channel import Channel
from tests.support.fixtures import *  # noqa: F403 - fixtures


def runtime_clients(deployed: Channel) -> list[Any]:
    """Return the runtime's own clients."""
    handler: Any = index.batch_handler()
    return [handler.queue._client, deployed.table_client(), handler.flow.secrets._client]

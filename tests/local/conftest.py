"""An embedded AWS without the app, started once at most."""

from collections.abc import Iterator

import pytest

from local.aws import Aws
from local.ministack import HOST, MiniStack, free_port
from local.world import ACCOUNT, REGION


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Run an embedded AWS without anything in it."""
    aws = Aws(f"http://{HOST}:{free_port()}", ACCOUNT, REGION)
    with MiniStack(aws, workdir=tmp_path_factory.mktemp("aws"), function_environment={}):
        yield aws

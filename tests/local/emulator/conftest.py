"""An embedded AWS without the app, started once."""

from collections.abc import Iterator

import pytest

from local.aws import Aws
from local.cloud import ACCOUNT, REGION
from local.emulator.ministack import HOST, MiniStack, free_port


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Run an empty embedded AWS."""
    aws = Aws(f"http://{HOST}:{free_port()}", ACCOUNT, REGION)
    with MiniStack(aws, workdir=tmp_path_factory.mktemp("aws"), function_environment={}):
        yield aws

"""The embedded AWS that the tests of this directory share."""

from collections.abc import Iterator

import pytest

from local.aws import Aws
from local.cloud import ACCOUNT, REGION
from local.emulator.ministack import MiniStack
from local.fakes.server import HOST, free_port


@pytest.fixture(scope="package")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Run an embedded AWS without the app."""
    aws = Aws(f"http://{HOST}:{free_port()}", ACCOUNT, REGION)
    with MiniStack(aws, workdir=tmp_path_factory.mktemp("aws"), function_environment={}):
        yield aws

"""An embedded AWS without the app, and the whole local cloud, each started once at most."""

from collections.abc import Iterator

import pytest

from local.aws import Aws
from local.ministack import HOST, MiniStack, free_port
from local.vendors import StandIns
from local.world import ACCOUNT, REGION, World


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Run an embedded AWS without anything in it."""
    aws = Aws(f"http://{HOST}:{free_port()}", ACCOUNT, REGION)
    with MiniStack(aws, workdir=tmp_path_factory.mktemp("aws"), function_environment={}):
        yield aws


@pytest.fixture(scope="session")
def stand_ins() -> StandIns:
    """Return the vendors of `world`."""
    return StandIns()


@pytest.fixture(scope="session")
def world(stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run the local cloud, deployed by the real command line."""
    with World(stand_ins, workdir=tmp_path_factory.mktemp("world")) as world:
        yield world

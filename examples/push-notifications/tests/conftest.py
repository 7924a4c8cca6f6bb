"""The app, deployed by the CDK's own command line to an embedded AWS, once for all tests."""

from collections.abc import Iterator

import pytest
from ai_multi_comms.local_cloud import World

from push_vendor.cloud import PROJECT, PushVendors


@pytest.fixture(scope="session")
def vendors() -> PushVendors:
    """The vendors of `world`."""
    return PushVendors()


@pytest.fixture(scope="session")
def world(vendors: PushVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The local cloud with this app in it."""
    with World(vendors, workdir=tmp_path_factory.mktemp("world"), project=PROJECT) as world:
        yield world

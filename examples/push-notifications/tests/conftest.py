"""The app, deployed with the CDK's command line to an embedded AWS, once for all tests."""

from collections.abc import Iterator

import pytest
from ai_multi_comms.local_cloud import LocalCloud

from push_vendor.cloud import PROJECT, PushVendors


@pytest.fixture(scope="session")
def vendors() -> PushVendors:
    """The vendors of `cloud`."""
    return PushVendors()


@pytest.fixture(scope="session")
def cloud(vendors: PushVendors, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The local cloud with this app."""
    with LocalCloud(vendors, workdir=tmp_path_factory.mktemp("cloud"), project=PROJECT) as cloud:
        yield cloud

"""Templates to look at, and how they are kept as snapshots."""

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from stacks.lambda_package import LambdaPackage
from stacks.package_target import Target
from tests.infra.packages import real_package
from tests.infra.synthesis import Synthesized, synthesize


@pytest.fixture(scope="session")
def dev() -> Synthesized:
    """Return the templates of the sample environment, whose name is `dev`."""
    return synthesize()


@pytest.fixture(scope="session")
def prod() -> Synthesized:
    """Return the templates of `prod`."""
    return synthesize("prod")


@pytest.fixture
def json_snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return the test's snapshot, one JSON file a test."""
    return snapshot.use_extension(JSONSnapshotExtension)


@pytest.fixture(scope="session")
def host_package() -> LambdaPackage:
    """Return the real package, built for the Python that runs the tests."""
    return real_package(Target.of_host())

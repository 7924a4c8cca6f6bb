"""Fixtures: synthesized templates, snapshots as JSON files, and the real package."""

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from stacks.packaging.lambda_package import LambdaPackage, Target
from tests.infra.packages import real_package
from tests.infra.synthesis import Synthesized, synthesize


@pytest.fixture(scope="session")
def dev() -> Synthesized:
    """Return the templates of the sample environment, whose name is `dev`."""
    return synthesize()


@pytest.fixture
def json_snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return the test's snapshot, one JSON file per test."""
    return snapshot.use_extension(JSONSnapshotExtension)


@pytest.fixture(scope="session")
def host_package() -> LambdaPackage:
    """Return the real package for the Python that runs the tests."""
    return real_package(Target.of_host())

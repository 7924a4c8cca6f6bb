"""The operator CLI, connected to the local cloud."""

from collections.abc import Mapping
from types import SimpleNamespace

import boto3
import pytest

from local.aws import DUMMY_SECRET
from local.cloud import LocalCloud
from local.vendors import FakeVendors
from ops import endpoints, queues
from tests.local.cloud.messages import FailedUpdate
from tests.local.cloud.ops.local_operator import LocalOperator


@pytest.fixture(scope="package")
def session(cloud: LocalCloud) -> boto3.Session:
    """Return one session for all commands: a new one parses AWS's models again."""
    return boto3.Session(f"local-cloud-{cloud.aws.account}", DUMMY_SECRET, None, cloud.aws.region)


@pytest.fixture
def operator(
    cloud: LocalCloud,
    fakes: FakeVendors,
    session: boto3.Session,
    failed_updates: Mapping[str, FailedUpdate],  # noqa: ARG001 - `erase` needs them repaired
    monkeypatch: pytest.MonkeyPatch,
) -> LocalOperator:
    """Return an operator with a tenant of their own."""
    operator = LocalOperator(cloud, fakes, session)
    for name, value in operator.environment().items():
        if name not in {"PATH", "HOME"}:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(queues, "POLL_SECONDS", 0)  # one process holds the whole queue
    monkeypatch.setattr(endpoints, "boto3", SimpleNamespace(Session=lambda **_: session))
    return operator

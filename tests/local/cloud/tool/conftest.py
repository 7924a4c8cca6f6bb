"""The tool, connected to the local cloud."""

from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace

import boto3
import pytest

from local.aws import DUMMY_SECRET
from local.cloud import LocalCloud
from local.vendors import FakeVendors
from ops import endpoints, queues
from tests.local.cloud.tool.local_operator import LocalOperator


@pytest.fixture(scope="package", autouse=True)
def _repaired(trackers: object, unrecorded: set[str]) -> None:  # noqa: ARG001 - sent before
    """Let every final update succeed: `erase` needs queues without messages in flight."""
    unrecorded.clear()


@pytest.fixture(scope="package")
def session(cloud: LocalCloud) -> boto3.Session:
    """Return one session for all calls: a new one parses AWS's models again."""
    return boto3.Session(f"local-cloud-{cloud.aws.account}", DUMMY_SECRET, None, cloud.aws.region)


@pytest.fixture(scope="package")
def numbers() -> Iterator[str]:
    """Return unused recipients."""
    return (f"+1555010{number}" for number in count(1000))


@pytest.fixture(scope="package")
def companies() -> Iterator[str]:
    """Return unused tenants."""
    return (f"tenant-{number}" for number in count(1))


@pytest.fixture
def operator(  # noqa: PLR0917 - fixtures
    cloud: LocalCloud,
    fakes: FakeVendors,
    session: boto3.Session,
    numbers: Iterator[str],
    companies: Iterator[str],
    monkeypatch: pytest.MonkeyPatch,
) -> LocalOperator:
    """Return an operator with a tenant of their own."""
    operator = LocalOperator(cloud, fakes, session, next(companies), numbers)
    for name, value in operator.environment().items():
        if name not in {"PATH", "HOME"}:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(queues, "POLL_SECONDS", 0)  # one process holds the whole queue
    monkeypatch.setattr(endpoints, "boto3", SimpleNamespace(Session=lambda **_: session))
    return operator

"""The tool, led to the local cloud."""

from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace

import boto3
import pytest

from local.aws import DUMMY_SECRET
from local.vendors import StandIns
from local.world import World
from ops import letters, surroundings
from tests.local.world.tool.duty import Duty


@pytest.fixture(scope="package")
def session(world: World) -> boto3.Session:
    """Return a session for all calls of the tool: a new one reads AWS's models anew."""
    return boto3.Session(f"local-cloud-{world.aws.account}", DUMMY_SECRET, None, world.aws.region)


@pytest.fixture(scope="package")
def numbers() -> Iterator[str]:
    """Return recipients, each of whom is there once."""
    return (f"+1555010{number}" for number in count(1000))


@pytest.fixture(scope="package")
def companies() -> Iterator[str]:
    """Return tenants, each of whom is there once."""
    return (f"tenant-{number}" for number in count(1))


@pytest.fixture
def duty(  # noqa: PLR0917 - fixtures
    world: World,
    stand_ins: StandIns,
    session: boto3.Session,
    numbers: Iterator[str],
    companies: Iterator[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Duty:
    """Return the person on duty, with a tenant of their own to look after."""
    duty = Duty(world, stand_ins, session, next(companies), numbers)
    for name, value in duty.environment().items():
        if name not in {"PATH", "HOME"}:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(letters, "POLL_SECONDS", 0)  # one process answers for all of the queue
    one_session = SimpleNamespace(Session=lambda **_: session)
    monkeypatch.setattr(surroundings, "boto3", one_session)
    return duty

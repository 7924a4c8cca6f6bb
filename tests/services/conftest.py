"""Fixtures of the adapters' and the handler's tests."""

from tests.support.fixtures import *  # noqa: F403 - fixtures

"""The channel of the kit, and the operator's tool on it."""

from tests.ops.conftest import *  # noqa: F403 - fixtures

"""The fake table keeps the contract that the real one keeps."""

from collections.abc import Callable
from functools import partial

import pytest

from lambda_src.core.contract import Status
from tests.unit.fakes.conversations import FakeConversations
from tests.unit.fakes.faults import Fault
from tests.unit.fakes.ledger_faults import STEPS
from tests.unit.fakes.world import KEY
from tests.unit.ledger_contract import LedgerContract


class TestFakeConversations(LedgerContract):
    """Every row of the contract, on the fake."""

    @pytest.fixture
    def conversations(self) -> FakeConversations:
        """An empty table."""
        return FakeConversations()

    @pytest.fixture
    def release(self, conversations: FakeConversations) -> Callable[[], None]:
        """An operator's tool."""
        return lambda: conversations.alter(KEY, status=Status.RETRY)

    @pytest.fixture
    def erase(self, conversations: FakeConversations) -> Callable[[float], None]:
        """An operator's tool."""
        return partial(conversations.erased.__setitem__, KEY.primary_channel)

    @pytest.fixture
    def unavailable(self) -> FakeConversations:
        """A table that is down."""
        table = FakeConversations()
        for call in STEPS:
            table.fail(call, Fault.UNAVAILABLE)
        return table

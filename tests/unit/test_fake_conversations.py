"""The fake table keeps the contract that the real one keeps."""

import pytest

from tests.unit.fakes.conversations import FakeConversations
from tests.unit.ledger_contract import LedgerContract


class TestFakeConversations(LedgerContract):
    """Every row of the contract, on the fake."""

    @pytest.fixture
    def conversations(self) -> FakeConversations:
        """An empty table."""
        return FakeConversations()

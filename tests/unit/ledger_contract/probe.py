"""How the contract looks into a table: by way of writes whose condition fails."""

from collections.abc import Callable

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.ledger import ConditionFailed, Entry
from lambda_src.core.ports import Conversations
from tests.unit import contexts
from tests.unit.fakes.clock import START
from tests.unit.fakes.writer import ANSWER
from tests.unit.samples import CLAIM, INTENT, claim, failure

CONTEXT = contexts.parse(contexts.complete())
ANOTHER = claim(owner="owner-2")
RETRY, FAILED, UNKNOWN = map(failure, (Status.RETRY, Status.FAILED, Status.SEND_UNKNOWN))

Write = Callable[[Conversations], None]


def found(conversations: Conversations) -> Entry | None:
    """What the table says of the conversation, by way of a write whose condition fails."""
    with pytest.raises(ConditionFailed) as failed:
        conversations.renew(claim(owner="nobody"), START)
    return failed.value.entry


def refuses(conversations: Conversations, write: Write) -> bool:
    """Whether the write fails by its condition, leaving the record as it was."""
    before = found(conversations)
    with pytest.raises(ConditionFailed) as failed:
        write(conversations)
    return before == failed.value.entry == found(conversations)


class Tables:
    """Tables in the states that the rows begin with."""

    @pytest.fixture
    def processing(self, conversations: Conversations) -> Conversations:
        """A table in which `CLAIM` holds the conversation."""
        conversations.create(CONTEXT, CLAIM)
        return conversations

    @pytest.fixture
    def sending(self, processing: Conversations) -> Conversations:
        """A table in which `CLAIM` has announced its send."""
        processing.begin_send(CLAIM, INTENT, ANSWER)
        return processing

"""When a record expires, on the table itself."""

from typing import Any

import boto3
import pytest

from lambda_src.core.ledger import SentRecord
from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.dynamodb_values import serialized
from lambda_src.services.retention import Retention
from tests.unit.fakes.clock import START
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.ledger_contract.probe import CONTEXT, FAILED, RETRY, UNKNOWN
from tests.unit.samples import CLAIM, ENTRY, INTENT, claim, entry

DAY = 24 * 3600
DAYS = 40
LATER = START + 5 * DAY


class Table:
    """A table that keeps records for `DAYS`, and what stands in it."""

    def __init__(self, name: str, days: int | None = DAYS) -> None:
        self._name = name
        self._client = boto3.client("dynamodb")
        self.conversations = ConversationsTable(
            self._client, name, "1.0.0", Retention(days), channel="whatsapp"
        )

    @property
    def expires_at(self) -> int | None:
        """The end of the conversation's record, in epoch seconds."""
        key = {"primary_channel": KEY.primary_channel, "conversation_id": KEY.conversation_id}
        item: Any = self._client.get_item(TableName=self._name, Key=serialized(key))["Item"]
        return int(item["expires_at"]["N"]) if "expires_at" in item else None


@pytest.fixture
def kept(table: str) -> Table:
    """A table with a conversation that is being worked on."""
    kept = Table(table)
    kept.conversations.create(CONTEXT, CLAIM)
    return kept


def test_a_claim_dates_the_record(kept: Table) -> None:
    """A conversation that nobody ever ends goes, too: its days count from the claim."""
    assert int(START + DAYS * DAY) == kept.expires_at


def test_taking_over_dates_it_anew(kept: Table) -> None:
    """As long as deliveries come, the record stays."""
    kept.conversations.take_over(claim(owner="owner-2", attempt=2, started_at=LATER), ENTRY)

    assert int(LATER + DAYS * DAY) == kept.expires_at


def test_an_open_send_does_not_expire(kept: Table) -> None:
    """A record that says `sending` stays for good: nothing else keeps the message from a resend."""
    kept.conversations.begin_send(CLAIM, INTENT, ANSWER)

    assert kept.expires_at is None


def test_an_unknown_send_does_not_expire(kept: Table) -> None:
    """Nor does `send_unknown`, until a person has decided it."""
    kept.conversations.begin_send(CLAIM, INTENT, ANSWER)
    kept.conversations.declare_unknown(KEY, UNKNOWN, entry())

    assert kept.expires_at is None


def test_a_sent_message_is_kept_for_its_days(kept: Table) -> None:
    """From the time at which the sid was recorded."""
    kept.conversations.begin_send(CLAIM, INTENT, ANSWER)
    kept.conversations.record_sent(KEY, SentRecord("SM1", ANSWER, START, LATER, 1))

    assert int(LATER + DAYS * DAY) == kept.expires_at


@pytest.mark.parametrize("failure", [FAILED, RETRY], ids=["failed", "retry"])
def test_a_failure_is_kept_for_its_days(kept: Table, failure: Any) -> None:
    """Certainly not sent: once its days are over, it may be forgotten."""
    kept.conversations.begin_send(CLAIM, INTENT, ANSWER)
    kept.conversations.record_failure(CLAIM, failure)

    assert int(START + DAYS * DAY) == kept.expires_at


def test_a_refused_context_object_is_kept_for_its_days(table: str) -> None:
    """What was refused before any claim goes, too."""
    kept = Table(table)
    kept.conversations.record_rejection(KEY, FAILED, None, START)

    assert int(START + DAYS * DAY) == kept.expires_at


def test_without_days_nothing_expires(table: str) -> None:
    """An environment that names no retention keeps every record."""
    kept = Table(table, days=None)
    kept.conversations.create(CONTEXT, CLAIM)
    kept.conversations.record_failure(CLAIM, FAILED)

    assert kept.expires_at is None


def test_a_retention_that_was_ended_ends_for_what_comes_after(table: str) -> None:
    """A record dated under an earlier configuration loses its date with its next turn."""
    Table(table).conversations.create(CONTEXT, CLAIM)
    now = Table(table, days=None)
    now.conversations.record_failure(CLAIM, FAILED)

    assert now.expires_at is None

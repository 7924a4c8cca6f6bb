"""The ledger's own writes are read for what they are."""

from dataclasses import replace

import pytest

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.ledger import Claim, Entry, Failure, Intent
from lambda_src.core.message import Answer, Usage
from lambda_src.services import dynamodb_writes as ledger
from lambda_src.services.conversation_item import key_attributes
from lambda_src.services.dynamodb_update import Update
from lambda_src.services.dynamodb_values import serialized
from local.channel import RecordKey as LocalKey
from local.dynamodb_gateway import Forwarded
from tests.faults.soak.ledger_writes import (
    Write,
    acts_without_lease,
    applied_writes,
    asked_again,
)

KEY = RecordKey("+447700900123", "conversation-1")
NOW = 1_800_000_000.0
CLAIM = Claim(KEY, "worker", 1, NOW + 60, NOW)
ANSWER = Answer("conv_1", "resp_1", "2026-11-22T09:00:00Z", "Hello", {}, Usage(1, 2, 3))
SEEN = Entry(KEY, Status.PROCESSING, "gone", 1, NOW, None, None, 0, "", NOW)
FAILURE = Failure(Status.RETRY, "openai_500", "ai", "", NOW)


def _forwarded(update: Update, status: int = 200) -> Forwarded:
    call = {
        "Key": serialized(key_attributes(update.key)),
        "UpdateExpression": update.expression,
        "ExpressionAttributeValues": serialized(update.values),
    }
    return Forwarded(NOW, "UpdateItem", call, status)


@pytest.mark.parametrize(
    ("update", "write"),
    [
        (
            ledger.take_over(CLAIM, SEEN),
            Write(NOW, Status.PROCESSING, "worker", from_lapsed=True),
        ),
        (ledger.renew(CLAIM, NOW), Write(NOW, "", "worker")),
        (ledger.store_answer(CLAIM, ANSWER), Write(NOW, "", "worker", has_answer=True)),
        (
            ledger.begin_send(CLAIM, Intent(NOW, NOW), ANSWER),
            Write(NOW, Status.SENDING, "worker", has_answer=True),
        ),
        (ledger.record_failure(CLAIM, FAILURE), Write(NOW, Status.RETRY, "worker")),
        (ledger.count_look(KEY, SEEN), Write(NOW)),
    ],
)
def test_an_update_is_read_for_what_it_is(update: Update, write: Write) -> None:
    """Each update tells the status it sets, whose lease it needs and whether it has the answer."""
    key = LocalKey(KEY.primary_channel, KEY.conversation_id)
    assert {key: [write]} == applied_writes([_forwarded(update)])


def test_the_first_record_is_a_claim() -> None:
    """The first record's owner holds the conversation."""
    item = {"conversation_status": Status.PROCESSING, "lease_owner": "worker"}
    put = {"Put": {"Item": serialized({**key_attributes(KEY), **item})}}
    call = {"TransactItems": [put, {"ConditionCheck": {}}]}
    (writes,) = applied_writes([Forwarded(NOW, "TransactWriteItems", call, 200)]).values()
    assert [Write(NOW, Status.PROCESSING, "worker")] == writes


def test_what_was_refused_was_not_written() -> None:
    """A write whose condition failed is none, and a query neither."""
    refused = _forwarded(ledger.renew(CLAIM, NOW), status=400)
    assert {} == applied_writes([refused, Forwarded(NOW, "Query", {}, 200)])


def test_asking_again_counts_against_the_claims_without_an_answer() -> None:
    """Who claimed before the answer was stored may have asked once; nobody else may ask."""
    claimed = Write(1, Status.PROCESSING, "worker")
    taken, stored = (
        replace(claimed, at=2, owner="another"),
        Write(3, "", "another", has_answer=True),
    )
    retaken = replace(claimed, at=4, owner="third")
    assert 0 == asked_again([claimed, taken, stored, retaken], 2)
    assert 1 == asked_again([claimed, taken, stored, retaken], 3)
    assert 0 == asked_again([claimed, taken], 3)


def test_who_lost_the_lease_is_told_from_who_took_over() -> None:
    """The worker that took over may write and send; the one before it may not, but for the sid."""
    claimed, taken = (
        Write(1, Status.PROCESSING, "worker"),
        Write(2, Status.PROCESSING, "another", from_lapsed=True),
    )
    announced, sent = Write(3, Status.SENDING, "another"), Write(5, Status.SENT)
    assert () == acts_without_lease([claimed, taken, announced, sent], [4])
    late = Write(3, Status.RETRY, "worker")
    assert ("wrote retry",) == acts_without_lease([claimed, taken, late], [])
    assert ("sent while processing",) == acts_without_lease([claimed, taken], [4])

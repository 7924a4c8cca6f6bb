"""Who was erased does not come back by themselves: by no copy, no letter and no lost opt-out."""

import json

import pytest

from ops.erasure import Erasure
from ops.register_writes import Signature
from ops.suppressions import Suppressions
from tests.ops.conftest import office  # noqa: F401 - a fixture
from tests.ops.office import Office
from tests.privacy.erased import SIGNATURE, left
from tests.services.channel import RECIPIENT, Channel, context, recipient_data


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_copy_that_comes_later_brings_nobody_back(
    channel: Channel, erasure: Erasure, *, is_refused: bool
) -> None:
    """A message in flight is turned away without a record, at each of its deliveries."""
    erasure.erase(RECIPIENT, SIGNATURE)
    body = context(lambda d: recipient_data(d).update(comms_consent=not is_refused))

    for receive_count in (1, 2):
        assert [body] == channel.deliver(body, receive_count=receive_count)
        assert "ERROR" == channel.events()["recipient_erased"]["level"]

    assert (0, 0) == (left(channel, RECIPIENT), channel.vendor_calls())


def test_who_agrees_again_is_written_to(channel: Channel, erasure: Erasure) -> None:
    """What was asked for after the erasure is sent."""
    before = Signature(SIGNATURE.who, SIGNATURE.why, 1.0)
    erasure.erase(RECIPIENT, before)
    after = json.loads(context())
    after["frontend_payload"]["request_data"]["initial_request_timestamp"] = "2026-11-22T10:00:00Z"

    assert [] == channel.deliver(json.dumps(after))
    assert 1 == len(channel.phone())


def test_an_opt_out_outlasts_the_erasure(channel: Channel, erasure: Erasure) -> None:
    """The suppression stays, by a digest alone, and so do the lines of what people did."""
    desk = Suppressions(channel.dynamodb, channel.table, "whatsapp")
    desk.add(RECIPIENT, SIGNATURE)

    receipt = erasure.erase(RECIPIENT, SIGNATURE)

    found = desk.find(RECIPIENT)
    assert found
    assert ("whatsapp",) == receipt.suppressed
    assert ["suppression added", "erasure begun", "erased: 0 records, 0 messages"] == [
        line["what"] for line in found.actions
    ]


def test_a_dropped_letter_brings_nobody_back(office: Office) -> None:  # noqa: F811 - a fixture
    """The letter of an erased person is noted under its own id when it is given up."""
    channel = office.channel
    Suppressions(channel.dynamodb, channel.table, "whatsapp").mark_erased(
        RECIPIENT, SIGNATURE, "erased"
    )
    office.bury(context())

    office.done("dlq", "drop", "--cause", "no_record", "--reason", "request 17", "--yes")

    assert [] == office.dead_letters()
    stored = channel.dynamodb.scan(TableName=channel.table)["Items"]
    assert RECIPIENT not in json.dumps(stored)
    assert "dead-letter" in {row["primary_channel"]["S"] for row in stored}


def test_a_redriven_letter_brings_nobody_back(office: Office) -> None:  # noqa: F811 - a fixture
    """The letter of an erased person stays dead: put back, it would be a message sent anew."""
    channel = office.channel
    Suppressions(channel.dynamodb, channel.table, "whatsapp").mark_erased(
        RECIPIENT, SIGNATURE, "erased"
    )
    office.bury(context())

    (row,) = office.done("dlq", "redrive", "--yes")["what_is_to_be_done"]

    assert "stays: its recipient was erased since" == row["verdict"]
    assert (0, [], [context()]) == (
        left(channel, RECIPIENT),
        office.queued(),
        office.dead_letters(),
    )

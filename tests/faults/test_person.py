"""The person on duty records what was sent, releases what was not, and touches nothing else."""

from collections.abc import Callable
from dataclasses import replace

import boto3
import pytest

from lambda_src.core.contract import Status
from lambda_src.core.ledger import ConditionFailed, Entry
from lambda_src.core.ports import Conversations
from lambda_src.services.dynamodb_service import ConversationsTable
from tests.faults.person import Decision, Register, TableRegister, decide, release_mended
from tests.faults.schedules.duty import FakeRegister
from tests.services.conftest import account, aws, table  # noqa: F401 - fixtures
from tests.unit.fakes.clock import START
from tests.unit.fakes.conversations import FakeConversations
from tests.unit.fakes.world import KEY
from tests.unit.fakes.writer import ANSWER
from tests.unit.ledger_contract.probe import ANOTHER, CONTEXT, FAILED, UNKNOWN
from tests.unit.samples import CLAIM, ENTRY, INTENT

NOW = START + 3600


class Office:
    """A table, and the register through which the person on duty sees it."""

    def __init__(self, conversations: Conversations, register: Register) -> None:
        self.conversations = conversations
        self.register = register

    def seen(self) -> Entry:
        """What the record says."""
        entry = self.register.read(KEY)
        assert entry
        return entry


@pytest.fixture(params=["fake", "DynamoDB"])
def office(request: pytest.FixtureRequest) -> Office:
    """An office where a conversation ended `send_unknown`."""
    if request.param == "fake":
        fake = FakeConversations()
        made = Office(fake, FakeRegister(fake))
    else:
        name = request.getfixturevalue("table")
        client = boto3.client("dynamodb")
        made = Office(
            ConversationsTable(client, name, "1.0.0", channel="whatsapp"),
            TableRegister(client, name),
        )
    made.conversations.create(CONTEXT, CLAIM)
    made.conversations.begin_send(CLAIM, INTENT, ANSWER)
    made.conversations.declare_unknown(KEY, UNKNOWN, ENTRY)
    return made


def test_what_the_vendor_has_is_recorded(office: Office) -> None:
    """The message was sent: its sid ends the conversation."""
    assert Decision.RECORDED is decide(office.register, KEY, "SM1", NOW)
    assert (Status.SENT, "SM1") == (office.seen().status, office.seen().sid)


def test_what_the_vendor_does_not_have_is_released(office: Office) -> None:
    """The message was not sent: the next worker claims it, with its answer, and announces anew."""
    assert Decision.RELEASED is decide(office.register, KEY, "", NOW)
    released = office.seen()
    assert (Status.RETRY, None, 0, "") == (
        released.status,
        released.intent,
        released.looks,
        released.failure_code,
    )
    office.conversations.take_over(ANOTHER, released)
    assert ANSWER == office.seen().answer


@pytest.mark.parametrize("sid", ["", "SM1"])
def test_what_is_not_unknown_is_left_alone(office: Office, sid: str) -> None:
    """Nobody decides on a conversation that still goes its way, or failed for certain."""
    decide(office.register, KEY, "", NOW)
    before = office.seen()
    assert Decision.NOTHING is decide(office.register, KEY, sid, NOW)
    assert before == office.seen()


def test_what_failed_is_released_once_it_was_mended(office: Office) -> None:
    """A wrong secret was put right: the conversation is to be tried again."""
    decide(office.register, KEY, "", NOW)
    office.conversations.take_over(ANOTHER, office.seen())
    office.conversations.record_failure(ANOTHER, FAILED)
    assert Decision.RELEASED is release_mended(office.register, KEY, NOW)
    assert Status.RETRY is office.seen().status


def test_what_did_not_fail_needs_no_release(office: Office) -> None:
    """An unknown send is no failure: it may have been sent."""
    assert Decision.NOTHING is release_mended(office.register, KEY, NOW)
    assert Status.SEND_UNKNOWN is office.seen().status


def change_status(office: Office) -> None:
    """Another person was quicker."""
    office.register.release(office.seen(), NOW)


def change_owner(office: Office) -> None:
    """Another person was quicker, and a worker after him."""
    change_status(office)
    office.conversations.take_over(ANOTHER, office.seen())


@pytest.mark.parametrize("change", [change_status, change_owner])
def test_a_record_that_changed_is_not_released(
    office: Office, change: Callable[[Office], None]
) -> None:
    """A release holds for what was looked at: a second one must not undo what came of the first."""
    looked_at = office.seen()
    change(office)
    before = office.seen()
    with pytest.raises(ConditionFailed):
        office.register.release(looked_at, NOW)
    assert before == office.seen()


def test_there_is_nothing_to_decide_on_without_a_record(office: Office) -> None:
    """A conversation that no worker ever claimed is none of the person's."""
    unknown = replace(KEY, conversation_id="never-seen")
    assert Decision.NOTHING is decide(office.register, unknown, "", NOW)
    assert Decision.NOTHING is release_mended(office.register, unknown, NOW)

"""Unknown sends: what is known of them, and a person's decision, made once and on what was seen."""

import pytest

from lambda_src.core.contract import Status
from lambda_src.services.dynamodb_update import Update
from local.stand_ins.faults import Fault
from local.stand_ins.twilio import TwilioSettings
from ops import register
from tests.ops.office import Office
from tests.services.channel import Channel, context
from tests.services.mishaps import lapse_the_sender

RESOLVE = ("unknown", "resolve", "lost", "--yes", "--reason", "looked at the console")


@pytest.fixture
def desk(office: Office) -> Office:
    """Return an office where the send of the conversation `lost` ended unknown, hours ago."""
    office.lose_a_send()
    office.let_hours_pass("lost")
    office.bury(context(conversation_id="lost"))
    return office


def send_unseen(channel: Channel) -> str:
    """A message that Twilio accepted and lists too late; return its sid."""
    channel.twilio.settings = TwilioSettings(list_lag_calls=100)
    channel.twilio.fail_next(Fault.reset(effect_applied=True))
    channel.deliver(context(conversation_id="lost"))
    lapse_the_sender(channel, "lost")
    channel.deliver(context(conversation_id="lost"), receive_count=10)
    channel.twilio.settings = TwilioSettings()
    (message,) = channel.twilio.phone("+447700900123")
    return message.sid


def test_open_sends_are_listed(desk: Office) -> None:
    """Each with its age, and without the recipient's number."""
    (row,) = desk.done("unknown", "list")
    assert ("lost", "send_unknown", "+4…23") == (
        row["conversation"],
        row["status"],
        row["recipient"],
    )


def test_looking_changes_nothing(desk: Office) -> None:
    """Without a decision it shows what is known, and the ways out."""
    before = desk.channel.record("lost")
    result = desk.run("unknown", "resolve", "lost")
    assert "it was not sent (from now on)" in result.stdout
    assert before == desk.channel.record("lost")


def test_what_was_not_sent_is_sent_once(desk: Office) -> None:
    """Released and redriven, the message arrives once; the record says who decided, and why."""
    assert desk.done(*RESOLVE, "--not-sent")["changed"]
    desk.done("dlq", "redrive", "--yes", "--conversation", "lost")
    desk.work_off()
    record = desk.channel.record("lost")
    assert (Status.SENT, 1) == (record["conversation_status"], len(desk.channel.phone()))
    assert "looked at the console" == record["operator_actions"][0]["why"]


def test_what_was_sent_is_recorded(office: Office) -> None:
    """The candidate is shown, its sid recorded, and its letter acknowledged without a send."""
    sid = send_unseen(office.channel)
    office.bury(context(conversation_id="lost"))

    assert [sid] == [
        each["sid"] for each in office.done("unknown", "resolve", "lost")["candidates"]
    ]
    assert office.done(*RESOLVE, "--sent", sid)["changed"]
    office.done("dlq", "redrive", "--yes")
    record = office.channel.record("lost")
    assert (Status.SENT, sid) == (record["conversation_status"], record["message_sid"])
    assert "ai_answer" not in record
    assert 1 == len(record["messages"])
    assert ([], 1) == (office.dead_letters(), len(office.channel.phone()))


def test_what_twilio_lists_is_not_released(office: Office) -> None:
    """A message that reads like it is at Twilio: it would be the second one."""
    sid = send_unseen(office.channel)
    office.let_hours_pass("lost", 0.01)
    assert sid in office.refused(*RESOLVE, "--not-sent")
    assert Status.SEND_UNKNOWN == office.channel.record("lost")["conversation_status"]


def test_a_release_waits_for_twilios_list(office: Office) -> None:
    """Within the hour its absence proves nothing."""
    office.lose_a_send()
    assert "too early to tell" in office.refused(*RESOLVE, "--not-sent")


@pytest.mark.parametrize(
    ("sid", "said"),
    [
        ("SM1", "expected SM or MM and 32 hexadecimal digits"),
        ("SM" + "0" * 32, "no message of that sid"),
    ],
)
def test_a_sid_is_looked_up(desk: Office, sid: str, said: str) -> None:
    """What is no sid, or none of the tenant's messages, is not recorded."""
    assert said in desk.refused(*RESOLVE, "--sent", sid)


def test_anothers_message_is_not_recorded(desk: Office) -> None:
    """A sid that another conversation has is not this one's."""
    desk.channel.deliver(context(conversation_id="other"))
    sid = desk.channel.record("other")["message_sid"]
    assert "another conversation's" in desk.refused(*RESOLVE, "--sent", sid)


def test_a_decision_holds_for_what_was_shown(desk: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that changed meanwhile is left alone, and the person is told to look again."""
    apply = register.Register.apply

    def raced(self: register.Register, update: Update) -> None:
        desk.channel.set_fields("lost", conversation_status="initial_message_sent")
        apply(self, update)

    monkeypatch.setattr(register.Register, "apply", raced)
    assert "look again" in desk.refused(*RESOLVE, "--not-sent")
    assert "operator_actions" not in desk.channel.record("lost")


def test_what_is_decided_needs_no_decision(desk: Office) -> None:
    """A second person comes too late."""
    desk.done(*RESOLVE, "--not-sent")
    assert "nothing is to be decided: the record says retry" in desk.refused(*RESOLVE, "--not-sent")


def test_an_interrupted_decision_is_none(desk: Office) -> None:
    """Called off at the question, nothing has changed; a dry run does not even ask."""
    assert "nothing was changed" in desk.refused(
        "unknown", "resolve", "lost", "--not-sent", answer="n\n"
    )
    assert not desk.done("unknown", "resolve", "lost", "--not-sent", "--dry-run")["changed"]
    assert Status.SEND_UNKNOWN == desk.channel.record("lost")["conversation_status"]
